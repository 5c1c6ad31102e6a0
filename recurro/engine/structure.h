/* Matrices that are not dense, after kernel.h. */

/* -- diagonal blocks --------------------------------------------------------------- */

/* to[k][gate][vector][lane] = from[gate][unit, start + k], zero for units beyond all and
   where the unit's block has no such column. A gate is one block after another, each
   size by size, by columns if back. */
static __attribute__((unused)) void pack_blocks(
    REAL *to, const REAL *const *from, int gates, int vectors, long units, long size,
    int back, long u0, long start, long length) {
  for (long k = start; k < start + length; k++)
    for (int gate = 0; gate < gates; gate++)
      for (long u = u0; u < u0 + vectors * LANES; u++, to++) {
        const long row = u % size, column = k % size, block = u / size;
        const long place = back ? column * size + row : row * size + column;
        const int is_in = u < units && block == k / size;
        *to = is_in ? from[gate][block * size * size + place] : 0;
      }
}

/* -- sparse ------------------------------------------------------------------------ */

/* Rows are put in the order of their lengths and taken LANES at a time, as a slice: the
   entries that all its rows have are read side by side. What longer rows have beyond
   that comes at the end, entry by entry. */

#if PLACE_BITS == 16
typedef int16_t place; /* a row or a column */
#else
typedef int32_t place;
#endif

struct sparse {
  long slices, rest;
  const int32_t *starts; /* where each slice begins among the vectors of entries */
  const place *columns;
  REAL *values;
  const place *rows; /* the row of each lane of each slice; NULL if in order */
  const place *rest_rows, *rest_columns;
  REAL *rest_values;
  long entries; /* of the pattern as it is stored, never transposed */
  const place *entry_rows, *entry_columns;
  const int32_t *order, *rest_order; /* which stored element each value is */
  const place *windows; /* the first column of each vector of entries, where its columns
                           follow each other in all of them; NULL if not */
};

static __attribute__((unused)) void sparse_pack(const struct sparse *s,
                                                const REAL *elements) {
  const long count = s->starts[s->slices] * (long)LANES;
  for (long e = 0; e < count; e++) s->values[e] = elements[s->order[e]];
  for (long e = 0; e < s->rest; e++) s->rest_values[e] = elements[s->rest_order[e]];
}

/* GCC makes of a loop a gather, which on many machines costs more than its loads. */
#if V_SINGLE && defined(__x86_64__) && LANES == 16
#define V_GATHER 16
#include <immintrin.h>
#elif V_SINGLE && defined(__x86_64__) && defined(__AVX2__) && LANES == 8
#define V_GATHER 8
#include <immintrin.h>
#endif

#ifdef V_GATHER
V_FUNCTION __m128i v_four(const REAL *x, const place *at) {
  const int32_t *const bits = (const int32_t *)x;
#if PLACE_BITS == 16
  uint64_t n; /* four places at a time */
  memcpy(&n, at, 8);
  __m128i y = _mm_cvtsi32_si128(bits[(uint16_t)n]);
  y = _mm_insert_epi32(y, bits[(uint16_t)(n >> 16)], 1);
  y = _mm_insert_epi32(y, bits[(uint16_t)(n >> 32)], 2);
  return _mm_insert_epi32(y, bits[n >> 48], 3);
#else
  uint64_t n, m; /* two places at a time */
  memcpy(&n, at, 8);
  memcpy(&m, at + 2, 8);
  __m128i y = _mm_cvtsi32_si128(bits[(uint32_t)n]);
  y = _mm_insert_epi32(y, bits[n >> 32], 1);
  y = _mm_insert_epi32(y, bits[(uint32_t)m], 2);
  return _mm_insert_epi32(y, bits[m >> 32], 3);
#endif
}
#endif

/* x[at[0]], x[at[1]], ... */
V_FUNCTION vec v_gather(const REAL *x, const place *at) {
#ifdef V_GATHER
#if V_GATHER == 16
  __m512i y = _mm512_castsi128_si512(v_four(x, at));
  y = _mm512_inserti32x4(y, v_four(x, at + 4), 1);
  y = _mm512_inserti32x4(y, v_four(x, at + 8), 2);
  y = _mm512_inserti32x4(y, v_four(x, at + 12), 3);
#else
  __m256i y = _mm256_castsi128_si256(v_four(x, at));
  y = _mm256_inserti128_si256(y, v_four(x, at + 4), 1);
#endif
  return (vec)y;
#else
  REAL y[LANES];
  for (int i = 0; i < LANES; i++) y[i] = x[at[i]];
  return v_load(y);
#endif
}

static __attribute__((unused)) void sparse_product(REAL *restrict y, const REAL *restrict x,
                           const struct sparse *s) {
  for (long slice = 0; slice < s->slices; slice++) {
    vec sum = v_set(0);
    const place *columns = s->columns + s->starts[slice] * (long)LANES;
    const REAL *values = s->values + s->starts[slice] * (long)LANES;
    const REAL *const end = s->values + s->starts[slice + 1] * (long)LANES;
    if (s->windows) {
      const place *window = s->windows + s->starts[slice];
      for (; values < end; values += LANES, window++)
        sum += v_load(values) * v_load(x + *window);
    } else
      for (; values < end; values += LANES, columns += LANES)
        sum += v_load(values) * v_gather(x, columns);
    if (!s->rows)
      v_store(y + slice * LANES, sum);
    else
      for (int i = 0; i < LANES; i++) y[s->rows[slice * LANES + i]] = sum[i];
  }
  for (long e = 0; e < s->rest; e++)
    y[s->rest_rows[e]] += s->rest_values[e] * x[s->rest_columns[e]];
}

/* Of the matrix d^T y the entries that the pattern has, added. */
static __attribute__((unused)) void sparse_outer(REAL *restrict to,
                                                 const REAL *restrict d,
                                                 const REAL *restrict y,
                                                 const struct sparse *s) {
  long e = 0;
  for (; e + LANES <= s->entries; e += LANES) {
    const vec product = v_gather(d, s->entry_rows + e) * v_gather(y, s->entry_columns + e);
    v_store(to + e, v_load(to + e) + product);
  }
  for (; e < s->entries; e++) to[e] += d[s->entry_rows[e]] * y[s->entry_columns[e]];
}
