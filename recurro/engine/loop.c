/* The frame of every kernel: rows through time, in chunks of steps. The renderer puts
   the text of a plan in place of each name between two @, after kernel.h. */

#include <sched.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define P(i) ((REAL *)a[i])
#define S(i) ((const REAL *)a[@arrays@ + (i)])
#define FIRST(i) ((REAL *)a[@arrays@ + @stored@ + (i)])
#define LAST(i) ((REAL *)a[@arrays@ + @stored@ + @carries@ + (i)])
#define TRAIL(i) ((REAL *)a[@arrays@ + @stored@ + 2 * @carries@ + (i)])
#define G(i) ((REAL *)a[@arrays@ + @stored@ + 4 * @carries@ + (i)])
#define START(i) ((REAL *)a[@arrays@ + @stored@ + 3 * @carries@ + (i)])

struct run {
  long T, B, from, to, down, prepare;
  const int64_t *lengths, *order;
  REAL *shared, *own;
  double value, norm;
  long member, members; /* of a team that shares the units of the same rows */
  struct meeting *meeting;
};

/* Memory of a thread or a team, of which each buffer has a part. Under the sanitizer a
   thread takes each from its stack instead, where it has a guard on both sides. */
#ifdef __SANITIZE_ADDRESS__
#define OWN(start, size)                                                                \
  (run->members > 1 ? (void *)(run->own + (start))                                      \
                    : __builtin_alloca_with_align((size) * sizeof(REAL), 512))
#else
#define OWN(start, size) (run->own + (start))
#endif

struct meeting {
  int arrived, round;
};

/* Wait until all members of the team are here. It spins, for a step is short; where a
   member has no processor of its own, the others soon let it run. */
static void meet(const struct run *run) {
  if (run->members == 1) return;
  struct meeting *const at = run->meeting;
  const int round = __atomic_load_n(&at->round, __ATOMIC_ACQUIRE);
  if (__atomic_add_fetch(&at->arrived, 1, __ATOMIC_ACQ_REL) == run->members) {
    __atomic_store_n(&at->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&at->round, round + 1, __ATOMIC_RELEASE);
    return;
  }
  for (long spins = 0; __atomic_load_n(&at->round, __ATOMIC_ACQUIRE) == round; spins++)
    if (spins > 2000) sched_yield();
}
typedef void (*product_t)(vec *, const vec *, const REAL *, const REAL *const *, long);
typedef void (*outer_t)(REAL *, long, const REAL *, long, const REAL *, long, long);

/* Rows of the next tile: as many as registers hold, in tiles of about one size. */
static inline long rows_of(long left) {
  const long tiles = (left + @most@ - 1) / @most@;
  return (left + tiles - 1) / tiles;
}

/* Where the part of a member begins, in whole tiles. */
static inline __attribute__((unused)) long share(long count, long member,
                                                 const struct run *run) {
  return member == run->members ? count : count * member / run->members / @most@ * @most@;
}

static __attribute__((unused)) void clip(REAL *g, long n, const struct run *run) {
  const REAL value = (REAL)run->value, norm = (REAL)run->norm;
  if (value > 0)
    for (long u = 0; u < n; u++)
      g[u] = g[u] > value ? value : g[u] < -value ? -value : g[u];
  if (norm > 0) {
    REAL squares = 0;
    for (long u = 0; u < n; u++) squares += g[u] * g[u];
    const REAL size = (REAL)sqrt((double)squares);
    if (size > norm)
      for (long u = 0; u < n; u++) g[u] *= norm / size;
  }
}

@products@

static void prepare(void *const *a, REAL *shared) {
@prepare@
}

/* Ask for pages of two megabytes under a large result: new pages cost more than what is
   written to them. */
static __attribute__((unused)) void advise(void *at, long count) {
#ifdef MADV_HUGEPAGE
  const size_t huge = 1 << 21, bytes = sizeof(REAL) * (size_t)count;
  const size_t skipped = -(size_t)at % huge;
  if (at && bytes >= 2 * huge)
    madvise((char *)at + skipped, (bytes - skipped) / huge * huge, MADV_HUGEPAGE);
#endif
}

/* R rows through all steps, in chunks of steps: what inputs give to a chunk, its steps,
   what its steps give to inputs. Rows are ordered by length, so that those whose steps
   count at a time are the first L. */
static void tile(void *const *a, const struct run *run, const long from,
                 const long R) {
  const long T = run->T, B = run->B;
  const REAL *const shared = run->shared;
  const REAL *x[@most@], *y[@steps@ * @rows@];
  long row[@rows@], slot[@steps@ * @rows@], begin[@rows@], live[@rows@], L = R;
  for (long r = 0; r < R; r++) row[r] = run->order ? run->order[from + r] : from + r;
  @buffers@
  (void)x, (void)y, (void)shared;
  if (run->member == 0) {@begin@
  }
  meet(run);
  long chunk = @steps@ * (@rows@ / R);
  if (chunk > @rows@) chunk = @rows@;
  const long slots = chunk * R;
  (void)slots;
  for (long s0 = 0; s0 < T; s0 += chunk) {
    const long n = T - s0 < chunk ? T - s0 : chunk;
    long count = 0;
    for (long s = 0; s < n; s++) {
      const long t = run->down ? T - 1 - s0 - s : s0 + s;
      if (run->lengths) {
        while (L > 0 && run->lengths[row[L - 1]] <= t) L--;
        while (L < R && run->lengths[row[L]] > t) L++;
      }
      begin[s] = count, live[s] = L;
      for (long r = 0; r < L; r++) slot[count++] = t * B + row[r];
    }
@chunk@
    meet(run);
    for (long s = 0; s < n; s++) {
      const long t = run->down ? T - 1 - s0 - s : s0 + s, L = live[s];
      const long *const at = slot + begin[s];
      (void)at;@old@@before@
@body@@forget@@clip@@stand@@trail@@swap@
    }
@after@
    meet(run);
  }
  if (run->member == 0) {@finish@
  }
}

void run(void *const *a, const struct run *run) {
  if (run->prepare) {
    const long T = run->T, B = run->B;
    (void)T, (void)B;
@advise@
    prepare(a, run->shared);
  }
  if (run->member == 0 && run->from < run->to) {@zero@
  }
  for (long b = run->from; b < run->to;) {
    const long left = run->to - b, R = left < @rows@ ? left : @rows@;
    tile(a, run, b, R);
    b += R;
  }
}
