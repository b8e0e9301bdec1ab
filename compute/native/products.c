// Products of matrices, which is where nine tenths of the time go.
#include "trainer.h"

// A tile of C, 4 x 8 numbers, is held in registers while k runs: 8 sums, 2 loads of B and 4 of A for 32 multiply-adds.
// Of B, a panel of 8 columns is copied to lie side by side; a block of rows of A stays in the fastest memory while the
// panels pass. Larger tiles need more registers than there are.
enum { ROWS = 4, PANEL = 8, BLOCK_K = 256, BLOCK_N = 64, BLOCK_M = 32 };
static float panels[BLOCK_K * BLOCK_N];

// C (rows, 4 vecs) = alpha * A @ B, or plus what is there; B from a panel with `step` numbers a row.
INLINE void tile(const int rows, const int vecs, int K, float alpha, const float *a, int row, int column,
                 const float *b, int step, int add, float *c, int ldc, int columns) {
  v4 sum[rows * vecs];
  UNROLL for (int x = 0; x < rows * vecs; x++) sum[x] = all(0);
  for (int k = 0; k < K; k++, a += column, b += step) {
    v4 right[vecs];
    UNROLL for (int j = 0; j < vecs; j++) right[j] = load(b + 4 * j);
    UNROLL for (int i = 0; i < rows; i++) {
      v4 left = all(a[i * row]);
      UNROLL for (int j = 0; j < vecs; j++) sum[i * vecs + j] = FMA(left, right[j], sum[i * vecs + j]);
    }
  }
  UNROLL for (int i = 0; i < rows; i++, c += ldc) {
    if (columns == 4 * vecs) {
      UNROLL for (int j = 0; j < vecs; j++) {
        v4 y = sum[i * vecs + j] * all(alpha);
        store(c + 4 * j, add ? y + load(c + 4 * j) : y);
      }
    } else {  // the last columns of C
      float y[4 * vecs];
      UNROLL for (int j = 0; j < vecs; j++) store(y + 4 * j, sum[i * vecs + j] * all(alpha));
      for (int j = 0; j < columns; j++) c[j] = add ? c[j] + y[j] : y[j];
    }
  }
}

// All rows of A times one panel.
static void strip(int M, int K, float alpha, View A, const float *b, int step, int add, float *c, int ldc,
                  int columns) {
  const float *a = A.at;
  int i = 0;
  if (columns <= 4) {
    for (; i + 8 <= M; i += 8, a += 8 * A.row, c += 8 * ldc)
      tile(8, 1, K, alpha, a, A.row, A.column, b, step, add, c, ldc, columns);
    for (; i < M; i++, a += A.row, c += ldc) tile(1, 1, K, alpha, a, A.row, A.column, b, step, add, c, ldc, columns);
    return;
  }
  for (; i + ROWS <= M; i += ROWS, a += ROWS * A.row, c += ROWS * ldc)
    tile(ROWS, 2, K, alpha, a, A.row, A.column, b, step, add, c, ldc, columns);
  for (; i < M; i++, a += A.row, c += ldc) tile(1, 2, K, alpha, a, A.row, A.column, b, step, add, c, ldc, columns);
}

INLINE int width_of(int columns) { return columns <= 4 ? 4 : PANEL; }

// Copies columns j.. of B (K, columns) to p (K, width), zeros behind the last.
static void pack(int K, View B, int columns, float *p) {
  int width = width_of(columns);
  if (B.column == 1 && columns == PANEL) {
    for (int k = 0; k < K; k++, p += PANEL) {
      store(p, load(B.at + k * B.row));
      store(p + 4, load(B.at + k * B.row + 4));
    }
    return;
  }
  for (int x = 0; x < width; x++)
    for (int k = 0; k < K; k++) p[k * width + x] = x < columns ? B.at[k * B.row + x * B.column] : 0;
}

// C (M, N), rows ldc apart, = alpha * A (M, K) @ B (K, N), or with ADD plus what is there.
void EXPORT(product_of)(int M, int N, int K, float alpha, const float *A, int a_row, int a_column, const float *B,
                        int b_row, int b_column, int add, float *C, int ldc) {
  product(M, N, K, alpha, (View){A, a_row, a_column}, (View){B, b_row, b_column}, add, C, ldc);
}

void product(int M, int N, int K, float alpha, View A, View B, int add, float *C, int ldc) {
  for (int k = 0; k < K; k += BLOCK_K, add = ADD) {
    int deep = min(BLOCK_K, K - k);
    View left = {A.at + k * A.column, A.row, A.column};
    for (int n = 0; n < N; n += BLOCK_N) {
      int wide = min(BLOCK_N, N - n);
      const float *right = B.at + k * B.row + n * B.column;
      // Of a B that is small, or read by few rows only, a copy is not worth its while.
      int direct = B.column == 1 && wide % 4 == 0 && (M <= 8 || deep <= 64);
      for (int j = 0; j < wide && !direct; j += PANEL)
        pack(deep, (View){right + j * B.column, B.row, B.column}, min(PANEL, wide - j), panels + j * deep);
      for (int m = 0; m < M; m += BLOCK_M) {
        int high = min(BLOCK_M, M - m);
        View rows = {left.at + m * A.row, A.row, A.column};
        for (int j = 0; j < wide; j += PANEL) {
          int columns = min(PANEL, wide - j);
          float *c = C + m * ldc + n + j;
          if (direct) strip(high, deep, alpha, rows, right + j, B.row, add, c, ldc, columns);
          else strip(high, deep, alpha, rows, panels + j * deep, width_of(columns), add, c, ldc, columns);
        }
      }
    }
  }
}
