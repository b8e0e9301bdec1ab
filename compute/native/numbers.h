// Four numbers at a time, and the functions of one number that a transformer needs. Freestanding: there is no libc.
#pragma once
#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) name
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float v4 __attribute__((vector_size(16), aligned(4)));  // may be loaded from any float
typedef int i4 __attribute__((vector_size(16)));
typedef unsigned int u32;
typedef unsigned long long u64;

// a * b + c: in one rounding where the browser has relaxed SIMD, in two where it has not.
#ifdef __wasm_relaxed_simd__
#define FMA(a, b, c) ((v4)wasm_f32x4_relaxed_madd((v128_t)(a), (v128_t)(b), (v128_t)(c)))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif

INLINE v4 all(float x) { return (v4){x, x, x, x}; }
// The same of a constant: browsers make a constant anew in each turn of a loop, in four instructions; a number of which
// the compiler does not know that it is one is made once, before the loop.
INLINE v4 once(float x) {
  __asm__("" : "+r"(x));
  return all(x);
}
INLINE v4 load(const float *p) { return *(const v4 *)p; }
INLINE void store(float *p, v4 x) { *(v4 *)p = x; }
INLINE v4 smaller(v4 a, v4 b) { return (v4)wasm_f32x4_pmin((v128_t)a, (v128_t)b); }
INLINE v4 larger(v4 a, v4 b) { return (v4)wasm_f32x4_pmax((v128_t)a, (v128_t)b); }
INLINE float sum_of(v4 x) { return (x[0] + x[1]) + (x[2] + x[3]); }
INLINE float largest_of(v4 x) {
  float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}
INLINE int min(int a, int b) { return a < b ? a : b; }
INLINE int up_to_4(int n) { return (n + 3) & ~3; }  // the next multiple of four
INLINE int is_finite(double x) { return x - x == 0; }
INLINE void copy(float *to, const float *from, long n) { __builtin_memcpy(to, from, n * sizeof(float)); }
INLINE void clear(float *p, long n) { __builtin_memset(p, 0, n * sizeof(float)); }

// exp(x) to about one unit in the last place: 2^n times a polynomial on half a doubling (Cephes, expf.c).
INLINE v4 exp4(v4 x) {
  x = larger(smaller(x, once(88.0f)), once(-87.3f));
  v4 turns = FMA(x, once(1.44269504f), once(0x1.8p23f));  // x / ln 2: so large a number has its units in the last bits
  v4 n = turns - once(0x1.8p23f);
  v4 f = FMA(n, once(-0.693359375f), x);                            // ln 2 in two parts, so that no bit is lost
  f = FMA(n, once(2.12194440e-4f), f);
  v4 y = once(1.9875691500e-4f);
  y = FMA(y, f, once(1.3981999507e-3f));
  y = FMA(y, f, once(8.3334519073e-3f));
  y = FMA(y, f, once(4.1665795894e-2f));
  y = FMA(y, f, once(1.6666665459e-1f));
  y = FMA(y, f, once(5.0000001201e-1f));
  y = FMA(y, f * f, f) + once(1.0f);
  return y * (v4)(((i4)turns << 23) + (i4)once(1.0f));  // n, added to the exponent of 1
}

// erf(x), a rational approximation of a few units in the last place (Eigen, MathFunctionsImpl.h).
INLINE v4 erf4(v4 x) {
  x = larger(smaller(x, once(3.832506856900711f)), once(-3.832506856900711f));
  v4 z = x * x, p = once(-2.72614225801306e-10f), q = once(-1.45660718464996e-05f);
  p = FMA(p, z, once(2.77068142495902e-08f));
  p = FMA(p, z, once(-2.10102402082508e-06f));
  p = FMA(p, z, once(-5.69250639462346e-05f));
  p = FMA(p, z, once(-7.34990630326855e-04f));
  p = FMA(p, z, once(-2.95459980854025e-03f));
  p = FMA(p, z, once(-1.60960333262415e-02f));
  q = FMA(q, z, once(-2.13374055278905e-04f));
  q = FMA(q, z, once(-1.68282697438203e-03f));
  q = FMA(q, z, once(-7.37332916720468e-03f));
  q = FMA(q, z, once(-1.42647390514189e-02f));
  return x * p / q;
}

// ln(x) for a normal x > 0: the exponent, and the series of artanh for the rest. For losses, once a word.
INLINE double log1(double x) {
  if (!is_finite(x)) return x;
  union { double f; u64 i; } bits = {x};
  int power = (int)(bits.i >> 52) - 1023;
  bits.i = (bits.i & 0xfffffffffffffull) | 0x3ffull << 52;
  double m = bits.f;  // 1..2
  if (m > 1.41421356) m *= 0.5, power++;
  double s = (m - 1) / (m + 1), z = s * s, sum = 0;  // |s| < 0.172
  for (int k = 19; k > 0; k -= 2) sum = sum * z + 1.0 / k;
  return power * 0.6931471805599453 + 2 * s * sum;
}
