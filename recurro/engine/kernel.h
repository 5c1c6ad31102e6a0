/* Vectors of numbers and the functions of a cell's equations on them.

   The rendered text of a kernel begins with

       #define REAL float       the number: float or double
       #define LANES 16         numbers in a vector: 16, 8, 4 or 2

   and this text. Everything is C with the vector extensions that GCC and Clang share;
   the width of the machine's registers is the compiler's affair. There must be no
   -ffast-math: exp rounds by adding and subtracting a large number. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors never cross a call */
#endif

#ifndef __has_builtin
#define __has_builtin(name) 0
#endif

#define V_JOIN_(a, b) a##b
#define V_JOIN(a, b) V_JOIN_(a, b)
#define V_SINGLE_float 1
#define V_SINGLE_double 0
#define V_SINGLE V_JOIN(V_SINGLE_, REAL)
#define V_FUNCTION static inline __attribute__((always_inline, unused))

#if V_SINGLE
typedef int32_t v_int;
#define V_LIBM(name) name##f
#else
typedef int64_t v_int;
#define V_LIBM(name) name
#endif

typedef REAL vec __attribute__((vector_size(LANES * sizeof(REAL))));
/* True is all bits, false none: what a comparison of two vectors gives. */
typedef v_int ivec __attribute__((vector_size(LANES * sizeof(REAL))));

/* -- moving ------------------------------------------------------------------------ */

V_FUNCTION vec v_set(REAL x) { return x - (vec){0}; } /* x - 0 keeps the sign of 0 */

V_FUNCTION vec v_load(const REAL *p) {
  vec x;
  memcpy(&x, p, sizeof x);
  return x;
}

V_FUNCTION void v_store(REAL *p, vec x) { memcpy(p, &x, sizeof x); }

#if LANES == 16
#define V_COUNT 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#elif LANES == 8
#define V_COUNT 0, 1, 2, 3, 4, 5, 6, 7
#elif LANES == 4
#define V_COUNT 0, 1, 2, 3
#elif LANES == 2
#define V_COUNT 0, 1
#else
#error "LANES must be 16, 8, 4 or 2"
#endif

/* True in the first n lanes. */
V_FUNCTION ivec v_first(long n) {
  const v_int m = (v_int)n;
  return (ivec){V_COUNT} < m - (ivec){0};
}

/* The first n numbers at p, in the other lanes 0; nothing beyond them is read. */
V_FUNCTION vec v_load_n(const REAL *p, long n) {
#if __has_builtin(__builtin_masked_load)
  typedef _Bool chosen __attribute__((ext_vector_type(LANES)));
  typedef REAL numbers __attribute__((ext_vector_type(LANES)));
  const chosen mask = __builtin_convertvector(v_first(n), chosen);
  return (vec)__builtin_masked_load(mask, p, (numbers)(vec){0});
#else
  if (n == LANES) return v_load(p);
  REAL x[LANES];
  const int m = (int)n;
  for (int i = 0; i < LANES; i++) x[i] = i < m ? p[i] : 0;
  return v_load(x);
#endif
}

/* Write the first n lanes to p, and nothing beyond them. */
V_FUNCTION void v_store_n(REAL *p, vec x, long n) {
#if __has_builtin(__builtin_masked_store)
  typedef _Bool chosen __attribute__((ext_vector_type(LANES)));
  typedef REAL numbers __attribute__((ext_vector_type(LANES)));
  const chosen mask = __builtin_convertvector(v_first(n), chosen);
  __builtin_masked_store(mask, (numbers)x, p);
#else
  if (n == LANES) {
    v_store(p, x);
    return;
  }
  REAL y[LANES];
  const int m = (int)n;
  v_store(y, x);
  for (int i = 0; i < LANES; i++)
    if (i < m) p[i] = y[i];
#endif
}

/* -- choosing, bits, rounding ------------------------------------------------------ */

/* GCC makes a blend of the loop, Clang of the bits, and neither of the other's. */
V_FUNCTION vec v_select(ivec c, vec a, vec b) {
  /* By bits: a loop over lanes is not always made a blend where it is inlined. */
  return (vec)((c & (ivec)a) | (~c & (ivec)b));
}

/* NaN where either is NaN, as torch.minimum and torch.maximum. */
V_FUNCTION vec v_min(vec a, vec b) {
  return v_select(a == a, v_select(a < b, a, b), a);
}

V_FUNCTION vec v_max(vec a, vec b) {
  return v_select(a == a, v_select(a > b, a, b), a);
}

#define V_SIGN ((ivec)v_set((REAL)-0.0))

V_FUNCTION vec v_neg(vec x) { return -x; }

V_FUNCTION vec v_abs(vec x) { return (vec)((ivec)x & ~V_SIGN); }

V_FUNCTION vec v_relu(vec x) { return (vec)((ivec)x & ~(x < 0)); }

#if __has_builtin(__builtin_elementwise_floor)
V_FUNCTION vec v_floor(vec x) { return __builtin_elementwise_floor(x); }
#else
V_FUNCTION vec v_floor(vec x) {
  for (int i = 0; i < LANES; i++) x[i] = V_LIBM(floor)(x[i]);
  return x;
}
#endif

#if __has_builtin(__builtin_elementwise_sqrt)
V_FUNCTION vec v_sqrt(vec x) { return __builtin_elementwise_sqrt(x); }
#else
V_FUNCTION vec v_sqrt(vec x) {
  for (int i = 0; i < LANES; i++) x[i] = V_LIBM(sqrt)(x[i]);
  return x;
}
#endif

/* -- over the lanes ---------------------------------------------------------------- */

/* Lane i of the result is lane i + n, in a circle: sums have one order everywhere. */
V_FUNCTION vec v_turn(vec x, const int n) {
#if __has_builtin(__builtin_shuffle)
  return __builtin_shuffle(x, ((ivec){V_COUNT} + n) & (LANES - 1));
#else
  vec y = x;
  for (int i = 0; i < LANES; i++) y[i] = x[(i + n) % LANES];
  return y;
#endif
}

V_FUNCTION REAL v_sum(vec x) {
#if LANES > 8
  x += v_turn(x, 8);
#endif
#if LANES > 4
  x += v_turn(x, 4);
#endif
#if LANES > 2
  x += v_turn(x, 2);
#endif
  return x[0] + x[1];
}

V_FUNCTION REAL v_amax(vec x) {
#if LANES > 8
  x = v_max(x, v_turn(x, 8));
#endif
#if LANES > 4
  x = v_max(x, v_turn(x, 4));
#endif
#if LANES > 2
  x = v_max(x, v_turn(x, 2));
#endif
  return v_max(x, v_turn(x, 1))[0];
}

/* -- the functions of libm, lane by lane ------------------------------------------- */

#define V_EACH(name, function)                                                          \
  V_FUNCTION vec name(vec x) {                                                          \
    REAL y[LANES];                                                                      \
    v_store(y, x);                                                                      \
    for (int i = 0; i < LANES; i++) y[i] = function(y[i]);                              \
    return v_load(y);                                                                   \
  }

V_EACH(v_sin, V_LIBM(sin))
V_EACH(v_cos, V_LIBM(cos))

V_FUNCTION vec v_pow(vec a, vec b) {
  REAL x[LANES], y[LANES];
  v_store(x, a);
  v_store(y, b);
  for (int i = 0; i < LANES; i++) x[i] = V_LIBM(pow)(x[i], y[i]);
  return v_load(x);
}

#if !V_SINGLE

V_EACH(v_exp, exp)
V_EACH(v_log, log)
V_EACH(v_tanh, tanh)
V_EACH(v_log1p, log1p)

V_FUNCTION vec v_exp_below(vec x) { return v_exp(x); }

V_FUNCTION vec v_softplus(vec x) {
  return v_select(x > 20, x, v_log1p(v_exp(v_select(x > 20, v_set(0), x))));
}

#else /* -- float: polynomials ------------------------------------------------------- */

/* scale (exp(r) - 1) / r for |r| <= log(2) / 2, by the polynomial that makes exp best in
   relative error (3e-9). A NaN passes through. */
#define V_RISE(r, scale)                                                                \
  (((((0.0013814540579915047f * scale * r + 0.00836874544620514f * scale) * r           \
       + 0.04166838899254799f * scale) * r                                              \
      + 0.1666652113199234f * scale) * r                                                \
     + 0.4999999403953552f * scale) * r                                                 \
    + scale)

/* x - n log(2), exact in the first product: 0.693359375 has ten bits. */
#define V_REDUCE(x, n) (x - n * 0.693359375f + n * 2.12194440e-4f)
#define V_PER_LOG2 1.44269504f
/* Added to a number below 2^22 it leaves the nearest integer in the last bits. */
#define V_ROUND 12582912.0f

/* exp(x) for x <= 0, subnormal results included. The integer in x / log(2) lands in
   the last bits of t, 159 too large, and one shift makes 2^(n + 32) of it. */
V_FUNCTION vec v_exp_below(vec x) {
  x = v_select(x < -104.0f, v_set(-104.0f), x);
  const vec t = x * V_PER_LOG2 + (V_ROUND + 159.0f);
  const vec n = t - (V_ROUND + 159.0f);
  const vec r = V_REDUCE(x, n);
  return (V_RISE(r, 0x1p-32f) * r + 0x1p-32f) * (vec)((ivec)t << 23);
}

/* The power of two is applied in two halves, for it may lie beyond the exponents. */
V_FUNCTION vec v_exp(vec x) {
  x = v_select(x > 89.0f, v_set(89.0f), x);
  x = v_select(x < -104.0f, v_set(-104.0f), x);
  const vec t = x * V_PER_LOG2 + V_ROUND;
  const vec n = t - V_ROUND;
  const vec r = V_REDUCE(x, n);
  const ivec whole = (ivec)t - 0x4B400000, half = whole >> 1;
  const vec a = (vec)((half + 127) << 23), b = (vec)((whole - half + 127) << 23);
  return (V_RISE(r, 1.0f) * r + 1.0f) * a * b;
}

/* log(1 + f) - f for 1 + f between sqrt(1/2) and sqrt(2), relative to log (6e-9). */
V_FUNCTION vec v_log_rest(vec f) {
  vec p = f * -0.07636547088623047f + 0.12764672935009003f;
  p = p * f - 0.13160888850688934f;
  p = p * f + 0.14201395213603973f;
  p = p * f - 0.16623252630233765f;
  p = p * f + 0.20001238584518433f;
  p = p * f - 0.250008225440979f;
  p = p * f + 0.3333333134651184f;
  return (p * f - 0.5f) * (f * f);
}

#define V_LOG2_HIGH 0.693359375f
#define V_LOG2_LOW -2.12194440e-4f

typedef uint32_t uvec __attribute__((vector_size(sizeof(vec))));

V_FUNCTION vec v_log(vec x) {
  const ivec tiny = x < 0x1p-126f;
  const uvec bits = (uvec)v_select(tiny, x * 0x1p23f, x);
  const ivec k = (ivec)(bits - 0x3F3504F3u) >> 23; /* x = 2^k (1 + f) */
  const vec f = (vec)(bits - ((uvec)k << 23)) - 1.0f;
  const vec n = __builtin_convertvector(k - (tiny & 23), vec);
  const vec y = n * V_LOG2_HIGH + (f + (n * V_LOG2_LOW + v_log_rest(f)));
  const vec bad = v_select(x == 0, v_set(-INFINITY), v_set(NAN));
  return v_select(x > 0, v_select(x < INFINITY, y, x), bad);
}

/* x + log(1 + exp(-x)) for x > 0, log(1 + exp(x)) below: no digits cancel, and above
   the threshold of 20 it is x to the last bit, as in PyTorch. */
V_FUNCTION vec v_softplus(vec x) {
  const vec e = v_exp_below(-v_abs(x));
  const ivec upper = e > 0.41421356f; /* 1 + e = 2 (1 + f) */
  const vec f = v_select(upper, e * 0.5f - 0.5f, e);
  const vec half = v_select(upper, v_set(0.69314718f), v_set(0));
  return v_relu(x) + (half + (f + v_log_rest(f)));
}

/* With m = exp(-2 |x|) - 1 it is -m / (m + 2), and the sign of x. The exponential is
   2^n (1 + z), of which 1 is taken off without losing the digits of a small m. */
V_FUNCTION vec v_tanh(vec x) {
  vec a = (vec)((ivec)x | V_SIGN);
  a = v_select(a < -10.0f, v_set(-10.0f), a);
  a += a;
  const vec t = a * V_PER_LOG2 + (V_ROUND + 127.0f);
  const vec n = t - (V_ROUND + 127.0f);
  const vec r = V_REDUCE(a, n), power = (vec)((ivec)t << 23);
  const vec z = V_RISE(r, 1.0f) * r;
  const vec m = z * power + (power - 1.0f);
  return (vec)(((ivec)x & V_SIGN) | ((ivec)(m / (m + 2.0f)) & ~V_SIGN));
}

#endif

/* 1 / (1 + exp(-x)), written so that small results keep all their digits. */
V_FUNCTION vec v_sigmoid(vec x) {
  const vec e = v_exp_below((vec)((ivec)x | V_SIGN));
  return v_select(x < 0, e, v_set(1)) / (1 + e);
}

/* -- packing ----------------------------------------------------------------------- */

#if __has_builtin(__builtin_shuffle)
#define V_EXCHANGE(w)                                                                   \
  for (int i = 0; i < LANES; i++)                                                       \
    if (!(i & (w))) {                                                                   \
      const ivec n = {V_COUNT}, upper = (n & (w)) != 0;                                 \
      const vec a = x[i], b = x[i + (w)];                                               \
      x[i] = __builtin_shuffle(a, b, n + (upper & (LANES - (w))));                      \
      x[i + (w)] = __builtin_shuffle(a, b, n + (w) + (upper & (LANES - (w))));          \
    }

/* LANES vectors as a square: rows become columns. */
V_FUNCTION void v_transpose(vec *x) {
#if LANES > 8
  V_EXCHANGE(8)
#endif
#if LANES > 4
  V_EXCHANGE(4)
#endif
#if LANES > 2
  V_EXCHANGE(2)
#endif
  V_EXCHANGE(1)
}
#else
V_FUNCTION void v_transpose(vec *x) {
  for (int i = 0; i < LANES; i++)
    for (int j = 0; j < i; j++) {
      const REAL kept = x[i][j];
      x[i][j] = x[j][i], x[j][i] = kept;
    }
}
#endif

/* to[block][k][gate][vector][lane] = from[gate][unit * rs + k * cs], zero for units
   beyond out and for gates that are NULL; added to what is there if add. One of the
   strides is 1. */
static __attribute__((unused)) void pack(
    REAL *to, const REAL *const *from, int gates, int vectors, long out, long inner,
    long rs, long cs, int add) {
  const long width = (long)gates * vectors * LANES;
  for (long u0 = 0; u0 < out; u0 += vectors * LANES, to += inner * width)
    for (int i = 0; i < gates * vectors; i++) {
      const long u = u0 + i % vectors * LANES, left = out - u;
      const long m = left < 0 ? 0 : left < LANES ? left : LANES;
      const REAL *const f = from[i / vectors];
      REAL *const at = to + i * LANES;
      long k = 0;
      if (f && rs != 1 && m == LANES && !add)
        for (; k + LANES <= inner; k += LANES) {
          vec x[LANES];
          for (int j = 0; j < LANES; j++) x[j] = v_load(f + (u + j) * rs + k);
          v_transpose(x);
          for (int j = 0; j < LANES; j++) v_store(at + (k + j) * width, x[j]);
        }
      for (; k < inner; k++) {
        vec x = v_set(0);
        if (f && rs == 1) x = v_load_n(f + u + k * cs, m);
        else if (f)
          for (int j = 0; j < LANES; j++) x[j] = j < m ? f[(u + j) * rs + k] : 0;
        v_store(at + k * width, add ? v_load(at + k * width) + x : x);
      }
    }
}
