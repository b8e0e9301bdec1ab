// Singular values, in float64. Columns lie side by side, so that column j of M (rows, columns) starts at M + j * rows.
#include "trainer.h"

static double dot(int n, const double *x, const double *y) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// One-sided Jacobi (Hestenes 1958): turns pairs of columns until all stand at right angles. They are then u * s, the left
// singular vectors, each as long as its singular value. Accurate also for the small ones.
static void turn_columns(int columns, int rows, double *M) {
  for (int sweep = 0, turns = 1; turns && sweep < 60; sweep++) {
    turns = 0;
    for (int i = 0; i < columns; i++) {
      for (int j = i + 1; j < columns; j++) {
        double *x = M + i * rows, *y = M + j * rows;
        double a = dot(rows, x, x), b = dot(rows, y, y), c = dot(rows, x, y);
        if (!(c * c > 1e-30 * a * b)) continue;  // at right angles, or no numbers
        double z = (b - a) / (2 * c), t = (z < 0 ? -1 : 1) / ((z < 0 ? -z : z) + __builtin_sqrt(1 + z * z));
        double cosine = 1 / __builtin_sqrt(1 + t * t), sine = cosine * t;
        for (int k = 0; k < rows; k++) {
          double before = x[k];
          x[k] = cosine * before - sine * y[k];
          y[k] = sine * before + cosine * y[k];
        }
        turns++;
      }
    }
  }
}

// The r longest u * s, descending, as the first columns of M.
void principal_columns(int columns, int rows, int r, double *M) {
  turn_columns(columns, rows, M);
  for (int i = 0; i < r; i++) {
    double *x = M + i * rows, *longest = x;
    for (double *y = x; y < M + columns * rows; y += rows)
      if (dot(rows, y, y) > dot(rows, longest, longest)) longest = y;
    for (int k = 0; k < rows; k++) {
      double before = x[k];
      x[k] = longest[k];
      longest[k] = before;
    }
  }
}

// The singular values replace the first numbers of M, descending.
void singular_values(int columns, int rows, double *M) {
  turn_columns(columns, rows, M);
  for (int i = 0; i < columns; i++) M[i] = __builtin_sqrt(dot(rows, M + i * rows, M + i * rows));
  for (int i = 1; i < columns; i++)
    for (int j = i; j > 0 && M[j] > M[j - 1]; j--) {
      double higher = M[j];
      M[j] = M[j - 1], M[j - 1] = higher;
    }
}

// Q of M = Q @ R, both (n, n), by Householder (1958) as LAPACK does, which decides the signs: its reflections are
// x - tau * v * (v . x), with v in the columns of M, below their 1.
void reflections(int n, double *M, double *Q) {
  for (int j = 0; j + 1 < n; j++) {
    double squares = 0, first = M[j * n + j];
    for (int i = j; i < n; i++) squares += M[i * n + j] * M[i * n + j];
    double length = first > 0 ? -__builtin_sqrt(squares) : __builtin_sqrt(squares);
    for (int i = j + 1; i < n; i++) M[i * n + j] /= first - length;
    M[j * n + j] = (length - first) / length;  // tau
    for (int c = j + 1; c < n; c++) {
      double along = M[j * n + c];
      for (int i = j + 1; i < n; i++) along += M[i * n + j] * M[i * n + c];
      along *= M[j * n + j];
      M[j * n + c] -= along;
      for (int i = j + 1; i < n; i++) M[i * n + c] -= along * M[i * n + j];
    }
  }
  for (int i = 0; i < n * n; i++) Q[i] = i % (n + 1) == 0;
  for (int j = n - 2; j >= 0; j--)
    for (int c = 0; c < n; c++) {
      double along = Q[j * n + c];
      for (int i = j + 1; i < n; i++) along += M[i * n + j] * Q[i * n + c];
      along *= M[j * n + j];
      Q[j * n + c] -= along;
      for (int i = j + 1; i < n; i++) Q[i * n + c] -= along * M[i * n + j];
    }
}

// Those of B @ A, with B (out, rank) by columns and A (rank, in) by rows: A.T = Q @ R by Gram and Schmidt leaves
// B @ R.T @ Q.T, whose singular values are those of B @ R.T, small where the rank is. They replace the first numbers
// of B; A and R (rank, rank) are room.
void singular_values_of_product(int rank, int out, int in, double *B, double *A, double *R) {
  for (int i = 0; i < rank; i++) {
    double *q = A + i * in, length = __builtin_sqrt(dot(in, q, q));
    for (int k = 0; k < in && length > 0; k++) q[k] /= length;
    R[i * rank + i] = length;
    for (int j = i + 1; j < rank; j++) {
      double *a = A + j * in, along = R[i * rank + j] = dot(in, q, a);
      for (int k = 0; k < in; k++) a[k] -= along * q[k];
    }
  }
  for (int i = 0; i < rank; i++)  // column i of B @ R.T needs columns i.. of B
    for (int k = 0; k < out; k++) {
      double sum = 0;
      for (int j = i; j < rank; j++) sum += B[j * out + k] * R[i * rank + j];
      B[i * out + k] = sum;
    }
  singular_values(rank, out, B);
}
