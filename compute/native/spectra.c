// Singular values, in float64. Columns lie side by side, so that column j of M (rows, columns) starts at M + j * rows.
#include "trainer.h"

static double dot(int n, const double *x, const double *y) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

// One-sided Jacobi (Hestenes 1958): turns pairs of columns until all stand at right angles. Their lengths are then the
// singular values, which replace the first numbers of M, descending. Accurate also for the small ones.
void singular_values(int columns, int rows, double *M) {
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
  for (int i = 0; i < columns; i++) M[i] = __builtin_sqrt(dot(rows, M + i * rows, M + i * rows));
  for (int i = 1; i < columns; i++)
    for (int j = i; j > 0 && M[j] > M[j - 1]; j--) {
      double higher = M[j];
      M[j] = M[j - 1], M[j - 1] = higher;
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
