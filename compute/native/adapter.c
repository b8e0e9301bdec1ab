// What a run learns: its tensors and how they start, the optimisers, the dial, and what was learned of each layer.
#include "trainer.h"

enum { B_ZERO, A_ZERO, BOTH_ZERO, BOTH_RANDOM, MIXED, ORTHOGONAL, PISSA, INITS };
enum { ADAMW, SGD };

// ---- what learns ----

static int ranks[MAX_PARTS];  // as the page writes them
static double alphas[MAX_PARTS];
int *EXPORT(ranks_at)(void) { return ranks; }
double *EXPORT(alphas_at)(void) { return alphas; }

static int adapts(void) { return run.method == LORA || run.method == DORA; }

// Whether an adapter may have the rank and the alpha of part i, if there is one.
static int allowed(int i, int init) {
  int r = ranks[i];
  if (!r) return 1;
  if (!is_linear(i) || r < 0 || r > MAX_R || !is_finite(alphas[i])) return 0;
  if (init == PISSA) return r <= model.n_embd && alphas[i] > 0;
  return init != ORTHOGONAL || r % 2 == 0;
}

// Enters a tensor of the run, named as the base's or, with a factor, "q_proj.lora_A" instead of "q_proj.weight".
static void enter(const Tensor *base, const char *factor, int rows, int columns) {
  Tensor *new = &run.learned[run.count++];
  char *end = new->name;
  for (const char *from = base->name; *from; from++) *end++ = *from;
  if (factor) {
    for (end -= 6; *factor; factor++) *end++ = *factor;
    *end = 0;
  }
  new->rows = rows;
  new->columns = columns;
  run.size += (long)(rows ? rows : 1) * columns;
}

// The next `count` numbers of all that learns.
static float *taken(int *next, long *at, long count, float **gradient) {
  float *value = run.learned[(*next)++].value = run.P + *at;
  *gradient = run.G + *at;
  *at += count;
  return value;
}

static int is_norm(int i) { return model.part[i].base.rows == 0; }
static int is_embedding(int i) { return i == EMBED_TOKENS || i == model.count - 1; }
static int learns(int i, int embeddings) {
  if (adapts()) return embeddings && is_embedding(i);
  return run.method == FULL || (run.method == EMBEDDINGS ? is_embedding(i) : is_norm(i));
}

// Uniform within 1 / sqrt(fan_in), as nn.init.kaiming_uniform_(a=math.sqrt(5)) computes its bound.
static void kaiming(Dice *dice, int rows, int columns, int fan_in, float *x) {
  double a = __builtin_sqrt(5.0), gain = __builtin_sqrt(2.0 / (1 + a * a));
  double bound = __builtin_sqrt(3.0) * (gain / __builtin_sqrt(fan_in));
  dice_uniform(dice, rows * columns, (float)-bound, (float)bound, x);
}

// The shorter rows or columns of x (out, in) as columns side by side, M (many, few).
static void stand(int out, int in, const float *x, double *M) {
  int few = min(out, in), many = out + in - few;
  for (int a = 0; a < few; a++)
    for (int b = 0; b < many; b++) M[a * many + b] = x[out < in ? a * in + b : b * in + a];
}

// lora_A = root * v.T, lora_B = u * root with root = sqrt(s / scaling), of the r largest s of W = u * s @ v.T. Of u and v
// the longer ones come from Jacobi, the others are W or W.T times these, over s. Both are kept, to be taken out of W.
static void pissa(Part *part) {
  int out = part->base.rows, in = part->base.columns, many = out < in ? in : out, r = part->r;
  const float *W = part->base.value;
  double *M = (double *)run.scratch;
  stand(out, in, W, M);
  principal_columns(min(out, in), many, r, M);
  for (int k = 0; k < r; k++, M += many) {
    double squares = 0;
    for (int b = 0; b < many; b++) squares += M[b] * M[b];
    if (squares == 0) continue;
    double s = __builtin_sqrt(squares), root = __builtin_sqrt(s / part->scaling) / s;
    for (int a = 0; a < out + in - many; a++) {
      double sum = 0;
      for (int b = 0; b < many; b++) sum += M[b] * W[out < in ? a * in + b : b * in + a];
      *(out < in ? part->lora_B + a * r + k : part->lora_A + k * in + a) = (float)(root * sum / s);
    }
    for (int b = 0; b < many; b++)
      *(out < in ? part->lora_A + k * in + b : part->lora_B + b * r + k) = (float)(root * M[b]);
  }
  copy(part->start_A, part->lora_A, (long)r * in);
  copy(part->start_B, part->lora_B, (long)out * r);
}

// lora_A = (N @ even).T / 10, lora_B = N.T @ odd / 10 for random N (in, r / 2) and (r / 2, out) and the even and odd rows of
// a random Q: the rows are at right angles, so that lora_B @ lora_A is zero.
static void orthogonal(Part *part, Dice *dice) {
  int out = part->base.rows, in = part->base.columns, r = part->r, half = r / 2;
  double *M = (double *)run.scratch, *Q = M + r * r;
  float *N = (float *)(Q + r * r);
  dice_normal(dice, r * r, N);
  for (int i = 0; i < r * r; i++) M[i] = N[i];
  reflections(r, M, Q);
  dice_normal(dice, in * half, N);
  for (int i = 0; i < in; i++)
    for (int k = 0; k < r; k++) {
      double sum = 0;
      for (int h = 0; h < half; h++) sum += N[i * half + h] * Q[2 * h * r + k];
      part->lora_A[k * in + i] = (float)(sum / 10);
    }
  dice_normal(dice, half * out, N);
  for (int o = 0; o < out; o++)
    for (int k = 0; k < r; k++) {
      double sum = 0;
      for (int h = 0; h < half; h++) sum += N[h * out + o] * Q[(2 * h + 1) * r + k];
      part->lora_B[o * r + k] = (float)(sum / 10);
    }
}

static void start(Part *part, int init, Dice *dice) {
  int out = part->base.rows, in = part->base.columns, r = part->r, half = (r + 1) / 2;
  if (init == B_ZERO || init == BOTH_RANDOM || init == MIXED) kaiming(dice, r, in, in, part->lora_A);
  if (init == A_ZERO || init == BOTH_RANDOM || init == MIXED) kaiming(dice, out, r, r, part->lora_B);
  if (init == PISSA) pissa(part);
  if (init == ORTHOGONAL) orthogonal(part, dice);
  if (init == MIXED) {  // the first half as with B=0, the others as with A=0
    clear(part->lora_A + half * in, (long)(r - half) * in);
    for (int o = 0; o < out; o++) clear(part->lora_B + o * r, half);
  }
  for (int o = 0; part->row_length && o < out; o++)
    part->row_length[o] = (float)__builtin_sqrt(squares(part->base.value + o * in, in));
}

int EXPORT(prepare)(int method, int scaling_rule, int init, u32 seed, int embeddings, int texts) {
  static Dice dice;
  run.ready = run.applied = 0;
  if (!model.count) return TOO_EARLY;
  if (method < 0 || method >= METHODS || texts < 1 || texts > 4096) return BAD_SETTING;
  run.method = method;
  int most_r = 0;
  if (adapts()) {
    if (scaling_rule < 0 || scaling_rule > 1 || init < 0 || init >= INITS) return BAD_SETTING;
    if (method == DORA && init != B_ZERO) return BAD_SETTING;
    for (int i = 0; i < model.count; i++) {
      if (!allowed(i, init)) return BAD_SETTING;
      if (ranks[i] > most_r) most_r = ranks[i];
    }
    if (!most_r) return BAD_SETTING;
  }
  room_back_to(model.end);
  __builtin_memset(&run, 0, sizeof(run));
  run.method = method;
  run.most_r = most_r ? most_r : 1;
  run.texts = texts;
  run.beta1_t = run.beta2_t = 1;
  run.lowest = model.n_layer;
  for (int i = 0; i < model.count; i++) {
    Part *part = &model.part[i];
    Tensor base = part->base;
    *part = (Part){.base = base, .now = base.value, .r = adapts() ? ranks[i] : 0};
    if (part->r) {
      part->scaling = (float)(alphas[i] / (scaling_rule ? __builtin_sqrt(part->r) : part->r));
      enter(&base, "lora_A", part->r, base.columns);
      enter(&base, "lora_B", base.rows, part->r);
      if (method == DORA) enter(&base, "row_length", 0, base.rows);
    }
    if (learns(i, embeddings)) enter(&base, 0, base.rows, base.columns);
  }
  u64 bytes = 4ull * run.size, largest = 4ull * model.n_embd * model.n_embd;
  u64 rank = 2 * run.most_r;  // a matrix in float64, a copy of it, and the factors of a change of that rank
  run.scratch = room(16 * largest + 8 * rank * (8ull * model.n_embd + rank));
  if (!run.scratch || !(run.P = room(bytes)) || !(run.G = room(bytes)) || !(run.first = room(bytes)) || !(run.second = room(bytes)))
    return NO_MEMORY;
  int next = 0;
  long at = 0;
  dice_seed(&dice, seed);
  for (int i = 0; i < model.count; i++) {
    Part *part = &model.part[i];
    int out = part->base.rows, in = part->base.columns;
    long size = (long)(out ? out : 1) * in;
    int block = i < FIRST_BLOCK ? -1 : min((i - FIRST_BLOCK) / PARTS, model.n_layer);
    if (part->r) {
      part->lora_A = taken(&next, &at, part->r * in, &part->grad_A);
      part->lora_B = taken(&next, &at, out * part->r, &part->grad_B);
      if (method == DORA) part->row_length = taken(&next, &at, out, &part->grad_row_length);
      if (!(part->now = room(4ull * size)) || !(part->stretch = room(4ull * out))) return NO_MEMORY;
      if (init == PISSA) {
        part->start_A = room(4ull * part->r * in), part->start_B = room(4ull * out * part->r);
        if (!part->start_A || !part->start_B) return NO_MEMORY;
      }
      start(part, init, &dice);
      run.lowest = min(run.lowest, block);
    }
    if (learns(i, embeddings)) {
      part->now = taken(&next, &at, size, &part->gradient);
      copy(part->now, part->base.value, size);
      run.lowest = min(run.lowest, block);
    }
  }
  if (!activations()) return NO_MEMORY;
  run.ready = 1;
  return FINE;
}

// ---- the optimisers, with torch's defaults ----

// m += (1 - b1) (g - m), v = b2 v + (1 - b2) g**2, p = p (1 - lr decay) - lr / c1 * m / (sqrt(v) / c2 + 1e-8) with
// b1 = 0.9, b2 = 0.999, c1 = 1 - b1**t, c2 = sqrt(1 - b2**t) after t updates, decay = 0.01 (Loshchilov & Hutter 2017,
// arXiv:1711.05101). The factors are computed in float64 and rounded once: 1 - 0.999f is off by 5e-5 of itself.
void EXPORT(adamw)(long n, float *p, const float *g, float *m, float *v, double lr, double beta1_t, double beta2_t) {
  v4 new_1 = all((float)(1 - 0.9)), new_2 = all((float)(1 - 0.999)), old_2 = all(0.999f);
  v4 kept = all((float)(1 - lr * 0.01)), step = all((float)(lr / (1 - beta1_t)));
  v4 root_2 = all((float)__builtin_sqrt(1 - beta2_t));
  for (long i = 0; i < n; i += 4) {
    v4 grad = load(g + i), M = FMA(new_1, grad - load(m + i), load(m + i));
    v4 V = FMA(new_2 * grad, grad, old_2 * load(v + i));
    store(m + i, M);
    store(v + i, V);
    store(p + i, load(p + i) * kept - step * (M / ((v4)wasm_f32x4_sqrt((v128_t)V) / root_2 + all(1e-8f))));
  }
}

// p -= lr g
void EXPORT(sgd)(long n, float *p, const float *g, float lr) {
  for (long i = 0; i < n; i += 4) store(p + i, FMA(all(-lr), load(g + i), load(p + i)));
}

int EXPORT(update)(int optimizer, double learning_rate) {
  if (!run.ready) return TOO_EARLY;
  if (optimizer < ADAMW || optimizer > SGD || !is_finite(learning_rate)) return BAD_SETTING;
  if (optimizer == SGD) sgd(run.size, run.P, run.G, (float)learning_rate);
  else adamw(run.size, run.P, run.G, run.first, run.second, learning_rate, run.beta1_t *= 0.9, run.beta2_t *= 0.999);
  run.applied = 0;
  return FINE;
}

double squares(const float *x, long n) {
  double sum = 0;
  for (long i = 0; x && i < n; i++) sum += (double)x[i] * x[i];
  return sum;
}

double EXPORT(gradient_norm)(int kind) {
  double sum = 0;
  for (int i = 0; i < model.count && run.ready; i++) {
    Part *part = &model.part[i];
    long out = part->base.rows, in = part->base.columns;
    if (kind == 0) sum += squares(part->grad_A, part->r * in);
    if (kind == 1) sum += squares(part->grad_B, out * part->r);
    if (kind == 2) sum += squares(part->gradient, (out ? out : 1) * in) + squares(part->grad_row_length, out);
  }
  return __builtin_sqrt(sum);
}

// ---- what was learned ----

// DoRA (Liu et al. 2024, arXiv:2402.09353, equation 5): each row of V = W + delta is made as long as row_length says, so
// that delta becomes row_length * V / |V| - W. |V| is rounded as row_length is: at the start, where they are equal, delta
// is exactly zero.
static void make_as_long(const Part *part, float *delta) {
  int out = part->base.rows, in = part->base.columns;
  const float *W = part->base.value;
  for (int o = 0; o < out; o++, W += in, delta += in) {
    for (int j = 0; j < in; j++) delta[j] += W[j];
    float stretch = part->stretch[o] = part->row_length[o] / (float)__builtin_sqrt(squares(delta, in));
    for (int j = 0; j < in; j++) delta[j] = stretch * delta[j] - W[j];
  }
}

// delta (out, in) = scaling * lora_B @ lora_A, less what was taken out of W; of DoRA with its rows' lengths; of full
// finetuning the change
static void change_of(const Part *part, float *delta) {
  int out = part->base.rows, in = part->base.columns, r = part->r;
  if (!part->lora_A) {
    for (long j = 0; j < (long)out * in; j++) delta[j] = part->now[j] - part->base.value[j];
    return;
  }
  product(out, in, r, part->scaling, rows_of(part->lora_B, r), rows_of(part->lora_A, in), SET, delta, in);
  if (part->start_A)
    product(out, in, r, -part->scaling, rows_of(part->start_B, r), rows_of(part->start_A, in), ADD, delta, in);
  if (part->row_length) make_as_long(part, delta);
}

// W + strength * delta_w, where the model computes with it
void merge(float strength) {
  for (int i = 0; i < model.count; i++) {
    Part *part = &model.part[i];
    if (!part->lora_A) continue;
    change_of(part, part->now);
    for (long j = 0; j < (long)part->base.rows * part->base.columns; j += 4)
      store(part->now + j, FMA(all(strength), load(part->now + j), load(part->base.value + j)));
  }
}

int EXPORT(apply)(double strength) {
  if (!run.ready) return TOO_EARLY;
  if (!is_finite(strength)) return BAD_SETTING;
  merge((float)strength);
  run.applied = 1;
  return FINE;
}

// Whether part i is a linear layer of which something was learned.
static int changed(int i) {
  return run.ready && i >= 0 && i < model.count && is_linear(i) && (model.part[i].lora_A || model.part[i].gradient);
}

float *EXPORT(delta_w)(int i) {
  if (!changed(i)) return 0;
  change_of(&model.part[i], run.scratch);
  return run.scratch;
}

static int spectrum_count;
int EXPORT(spectrum_size)(void) { return spectrum_count; }

double *EXPORT(spectrum)(int i) {
  if (!changed(i)) return 0;
  const Part *part = &model.part[i];
  int out = part->base.rows, in = part->base.columns;
  double *M = (double *)run.scratch;
  if (part->lora_A && !part->row_length) {
    int r = part->r, rank = part->start_A ? 2 * r : r;
    double *A = M + out * rank, *R = A + rank * in;  // after M, (rank, out): its columns lie side by side
    for (int k = 0; k < rank; k++) {
      const float *a = k < r ? part->lora_A : part->start_A, *b = k < r ? part->lora_B : part->start_B;
      double factor = k < r ? part->scaling : -part->scaling;
      for (int j = 0; j < in; j++) A[k * in + j] = a[k % r * in + j];
      for (int j = 0; j < out; j++) M[k * out + j] = factor * b[j * r + k % r];
    }
    singular_values_of_product(rank, out, in, M, A, R);
    spectrum_count = min(rank, min(out, in));
  } else {
    float *delta = (float *)(M + out * in);
    change_of(part, delta);
    stand(out, in, delta, M);
    spectrum_count = min(out, in);
    singular_values(spectrum_count, out + in - spectrum_count, M);
  }
  return M;
}
