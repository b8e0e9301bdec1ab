// The layers that have no product of their own, each forward above its backward, and attention.
// Shapes: n texts (or rows), T words in each, C the width, hs = C / heads that of a head, V the words there are. C and
// hs are multiples of four.
#include "trainer.h"

// x (n, T, C) = words[token] + places[t]
void EXPORT(embed)(int n, int T, int C, const int *tokens, const float *words, const float *places, float *x) {
  for (int i = 0; i < n * T; i++, x += C)
    for (int c = 0; c < C; c += 4) store(x + c, load(words + tokens[i] * C + c) + load(places + i % T * C + c));
}

// dwords[token] += dx, dplaces[t] += dx; dplaces may be 0
void EXPORT(embed_back)(int n, int T, int C, const int *tokens, const float *dx, float *dwords, float *dplaces) {
  for (int i = 0; i < n * T; i++, dx += C) {
    float *word = dwords + tokens[i] * C, *place = dplaces + i % T * C;
    for (int c = 0; c < C; c += 4) {
      store(word + c, load(word + c) + load(dx + c));
      if (dplaces) store(place + c, load(place + c) + load(dx + c));
    }
  }
}

// y = w * h + b with h = (x - mean) * rstd, rstd = 1 / sqrt(variance + 1e-5), for rows of x (n, C); stats (n, 2): both
void EXPORT(layer_norm)(int n, int C, const float *x, const float *w, const float *b, float *y, float *stats) {
  for (int i = 0; i < n; i++, x += C, y += C) {
    v4 sum = all(0), squares = all(0);
    for (int c = 0; c < C; c += 4) sum += load(x + c);
    v4 mean = all(sum_of(sum) / C);
    for (int c = 0; c < C; c += 4) {
      v4 d = load(x + c) - mean;
      squares = FMA(d, d, squares);
    }
    v4 rstd = all(1 / __builtin_sqrtf(sum_of(squares) / C + 1e-5f));
    for (int c = 0; c < C; c += 4) store(y + c, FMA((load(x + c) - mean) * rstd, load(w + c), load(b + c)));
    stats[2 * i] = mean[0];
    stats[2 * i + 1] = rstd[0];
  }
}

// dx += rstd * (g - mean(g) - h * mean(g * h)) with g = dy * w; dw += dy * h and db += dy, which may be 0
void EXPORT(layer_norm_back)(int n, int C, const float *x, const float *w, const float *stats, const float *dy,
                             float *dx, float *dw, float *db) {
  for (int i = 0; i < n; i++, x += C, dy += C, dx += C) {
    v4 mean = all(stats[2 * i]), rstd = all(stats[2 * i + 1]), sum = all(0), along = all(0);
    for (int c = 0; c < C; c += 4) {
      v4 g = load(dy + c) * load(w + c);
      sum += g;
      along = FMA(g, (load(x + c) - mean) * rstd, along);
    }
    v4 a = all(sum_of(sum) / C), b = all(sum_of(along) / C);
    for (int c = 0; c < C; c += 4) {
      v4 d = load(dy + c), h = (load(x + c) - mean) * rstd;
      store(dx + c, load(dx + c) + rstd * (d * load(w + c) - a - h * b));
      if (dw) {
        store(dw + c, FMA(d, h, load(dw + c)));
        store(db + c, load(db + c) + d);
      }
    }
  }
}

// y = u * P(u) with P(u) = (1 + erf(u / sqrt(2))) / 2; u becomes the slope P(u) + u * exp(-u**2 / 2) / sqrt(2 pi)
void EXPORT(gelu)(long n, float *u, float *y) {
  for (long i = 0; i < n; i += 4) {
    v4 x = load(u + i), P = FMA(erf4(x * once(0.70710678f)), once(0.5f), once(0.5f));
    store(y + i, x * P);
    store(u + i, FMA(x * once(0.39894228f), exp4(x * x * once(-0.5f)), P));
  }
}

// y *= x: the backward of gelu, with its slope
void EXPORT(multiply)(long n, float *y, const float *x) {
  for (long i = 0; i < n; i += 4) store(y + i, load(y + i) * load(x + i));
}

// z (n) becomes exp(z - largest), of which the sum is returned; what stands behind, up to a multiple of four, becomes 0
INLINE float exponentials(int n, float *z, float *largest) {
  for (int c = n; c < up_to_4(n); c++) z[c] = -1e30f;
  v4 top = load(z), sum = all(0);
  for (int c = 4; c < n; c += 4) top = larger(top, load(z + c));
  *largest = largest_of(top);
  for (int c = 0; c < n; c += 4) {
    v4 e = exp4(load(z + c) - all(*largest));
    store(z + c, e);
    sum += e;
  }
  for (int c = n; c < up_to_4(n); c++) sum[c & 3] -= z[c], z[c] = 0;
  return sum_of(sum);
}

INLINE void scale(int n, float factor, float *z) {
  for (int c = 0; c < n; c += 4) store(z + c, load(z + c) * all(factor));
}

// z (n) becomes exp(z) / sum(exp(z)); zeros behind
void EXPORT(softmax_row)(int n, float *z) {
  float largest, sum = exponentials(n, z, &largest);
  scale(n, 1 / sum, z);
}

// to (hs, ld) = x.T for x (T, hs), rows C apart; what stands behind column T is not read
static void transpose(int T, int hs, int C, const float *x, float *to, int ld) {
  for (int t = 0; t < T; t += 4)
    for (int c = 0; c < hs; c += 4) {
      v4 row[4];
      UNROLL for (int i = 0; i < 4; i++) row[i] = load(x + min(t + i, T - 1) * C + c);
      UNROLL for (int i = 0; i < 4; i++) store(to + (c + i) * ld + t, (v4){row[0][i], row[1][i], row[2][i], row[3][i]});
    }
}

// Squares of attention stand turned, a row for each word that is seen and a column for each that asks: what a softmax
// sums up is then a column, four of them are a vector, and nothing is added across one. They are computed in bands, each
// only for the words that see it.
enum { BAND = 16 };

// Which of four words, from `place` on, see word j: those that are not before it.
INLINE i4 see(int place, int j) { return (i4){place, place + 1, place + 2, place + 3} >= (i4){j, j, j, j}; }

// 4 * vecs columns of p (seen, ld) become their softmax over the rows that they see, 0 in the others.
INLINE void softmax_columns(const int vecs, int place, int seen, int ld, float *p) {
  v4 top[4], sum[4];
  UNROLL for (int x = 0; x < vecs; x++) top[x] = all(-1e30f), sum[x] = all(0);
  for (int j = 0; j < seen; j++)
    UNROLL for (int x = 0; x < vecs; x++) {
      i4 mask = see(place + 4 * x, j);
      top[x] = larger(top[x], (v4)(((i4)load(p + j * ld + 4 * x) & mask) | ((i4)all(-1e30f) & ~mask)));
    }
  for (int j = 0; j < seen; j++)
    UNROLL for (int x = 0; x < vecs; x++) {
      v4 e = (v4)((i4)exp4(load(p + j * ld + 4 * x) - top[x]) & see(place + 4 * x, j));
      store(p + j * ld + 4 * x, e);
      sum[x] += e;
    }
  UNROLL for (int x = 0; x < vecs; x++) sum[x] = all(1) / sum[x];
  for (int j = 0; j < seen; j++)
    UNROLL for (int x = 0; x < vecs; x++) store(p + j * ld + 4 * x, load(p + j * ld + 4 * x) * sum[x]);
}

// d = p * (d - sum(p * d)) for 4 * vecs columns.
INLINE void softmax_columns_back(const int vecs, int seen, int ld, const float *p, float *d) {
  v4 sum[4];
  UNROLL for (int x = 0; x < vecs; x++) sum[x] = all(0);
  for (int j = 0; j < seen * ld; j += ld)
    UNROLL for (int x = 0; x < vecs; x++) sum[x] = FMA(load(p + j + 4 * x), load(d + j + 4 * x), sum[x]);
  for (int j = 0; j < seen * ld; j += ld)
    UNROLL for (int x = 0; x < vecs; x++)
      store(d + j + 4 * x, load(p + j + 4 * x) * (load(d + j + 4 * x) - sum[x]));
}

// Of each text and head: p = softmax(q @ k.T / sqrt(hs)), 0 at later words, and y = p @ v. The heads stand side by side
// in q and y (n, T - from, C) and in k and v (n, stride, C), of which T rows are read; p (n, heads, T, T - from), turned,
// has rows of up_to_4(T - from). `from` is the place of the first word that asks: 0, or the last one where the others
// did before. turned_q is room for hs rows of p.
void EXPORT(attention)(int n, int from, int T, int C, int heads, int stride, const float *q, const float *k,
                       const float *v, float *turned_q, float *p, float *y) {
  int hs = C / heads, asking = T - from, ld = up_to_4(asking);
  float factor = 1 / __builtin_sqrtf(hs);
  for (int i = 0; i < n * heads; i++, p += T * ld) {
    int here = i / heads * asking * C + i % heads * hs, there = i / heads * stride * C + i % heads * hs;
    transpose(asking, hs, C, q + here, turned_q, ld);
    for (int j = 0; j < T; j += BAND) {
      int rows = min(BAND, T - j), first = j > from ? (j - from) & ~3 : 0;
      product(rows, ld - first, hs, factor, rows_of(k + there + j * C, C), rows_of(turned_q + first, ld), SET,
              p + j * ld + first, ld);
    }
    for (int t = 0; t < asking; t += BAND) {
      int rows = min(BAND, asking - t), seen = from + t + rows;
      if (rows == BAND) softmax_columns(BAND / 4, from + t, seen, ld, p + t);
      else for (int c = t; c < t + rows; c += 4) softmax_columns(1, from + c, seen, ld, p + c);
      product(rows, hs, seen, 1, turned(p + t, ld), rows_of(v + there, C), SET, y + here + t * C, C);
    }
  }
}

// dv = p.T @ dy; d = p * (dp - sum(p * dp)) with dp = dy @ v.T; dq = d @ k / sqrt(hs), dk = d.T @ q / sqrt(hs).
// All (n, T, C), from = 0; d is room for one square of p, turned_dy for hs rows of it
void EXPORT(attention_back)(int n, int T, int C, int heads, const float *q, const float *k, const float *v,
                            const float *p, const float *dy, float *d, float *turned_dy, float *dq, float *dk,
                            float *dv) {
  int hs = C / heads, ld = up_to_4(T);
  float factor = 1 / __builtin_sqrtf(hs);
  for (int i = 0; i < n * heads; i++, p += T * ld) {
    int at = i / heads * T * C + i % heads * hs;
    transpose(T, hs, C, dy + at, turned_dy, ld);
    for (int j = 0; j < T; j += BAND)
      product(min(BAND, T - j), ld - j, hs, 1, rows_of(v + at + j * C, C), rows_of(turned_dy + j, ld), SET,
              d + j * ld + j, ld);
    for (int t = 0; t < T; t += BAND) {
      int rows = min(BAND, T - t), seen = t + rows;
      if (rows == BAND) softmax_columns_back(BAND / 4, seen, ld, p + t, d + t);
      else for (int c = t; c < seen; c += 4) softmax_columns_back(1, seen, ld, p + c, d + c);
      product(rows, hs, seen, factor, turned(d + t, ld), rows_of(k + at, C), SET, dq + at + t * C, C);
    }
    for (int j = 0; j < T; j += BAND) {  // what words j.. gave to those that see them
      int rows = min(BAND, T - j), here = at + j * C;
      product(rows, hs, T - j, 1, rows_of(p + j * ld + j, ld), rows_of(dy + here, C), SET, dv + here, C);
      product(rows, hs, T - j, factor, rows_of(d + j * ld + j, ld), rows_of(q + here, C), SET, dk + here, C);
    }
  }
}

// Returns the sum of -weight * ln(softmax(z)[target]) over rows of z (n, V), ld apart; z becomes the gradient,
// weight * (softmax(z) - 1 at the target). Rows without weight are not looked at.
double EXPORT(cross_entropy)(int n, int V, int ld, const float *weight, const int *target, float *z) {
  double loss = 0;
  for (int i = 0; i < n; i++, z += ld) {
    if (weight[i] == 0) {
      clear(z, ld);
      continue;
    }
    float largest, hit = z[target[i]], sum = exponentials(V, z, &largest);
    loss += weight[i] * (log1(sum) - (double)(hit - largest));
    scale(V, weight[i] / sum, z);
    z[target[i]] -= weight[i];
  }
  return loss;
}
