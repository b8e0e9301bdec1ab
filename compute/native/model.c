// The mini-model of compute/model/gpt.py: its tensors, forward, backward, and what the page asks of it.
#include "trainer.h"

struct Model model;
struct Run run;

// What a block keeps of a step's forward for its backward; rows = n * T.
typedef struct {
  float *x1, *stats_1, *n1;  // (rows, C), (rows, 2), (rows, C): what comes in, normalised
  float *q, *k, *v, *p, *y;  // (rows, C) but p, a square of each text and head
  float *x2, *stats_2, *n2;  // after attention
  float *u, *h;              // (rows, 4 C): the slope of GELU, and its value
} Block;

static struct {
  Block block[MAX_BLOCKS];
  float *x3, *stats_3, *n3, *z;           // after the last block, normalised, (rows, ld) the logits
  float *dx, *da, *dq, *dk, *dv, *dh;     // gradients, of the residual stream and of what a layer reads
  float *inner, *dinner;                  // (rows, r)
  float *asked_y;                         // (asked, C): y of the last block
  float *square, *turned, *weight;        // (T, T), (hs, T), (asked) of each word that is to come
  int *tokens, *inputs, *targets;         // as the page writes them; split
  int rows, *length;                      // words that are read, of all texts and of each
  int asked, *which;                      // how many rows are asked for their next word, and which, ascending
  int *places, *said, *dealt;             // (texts)
  unsigned char *masks;
  float *chances;                         // (texts, ld)
} work;

static double last_loss;

double EXPORT(loss)(void) { return last_loss; }
int *EXPORT(tokens_at)(void) { return work.tokens; }
unsigned char *EXPORT(masks_at)(void) { return work.masks; }
int *EXPORT(places_at)(void) { return work.places; }
int *EXPORT(said_at)(void) { return work.said; }
float *EXPORT(chances_at)(void) { return work.chances; }

Part *part_of(int block, int which) { return &model.part[FIRST_BLOCK + block * PARTS + which]; }
static Part *last_part(int back) { return &model.part[model.count - back]; }  // 3 norm, 2 its bias, 1 lm_head
int is_linear(int i) {
  int which = (i - FIRST_BLOCK) % PARTS;
  return i >= FIRST_BLOCK && i < model.count - 3 && ((which >= Q_PROJ && which <= O_PROJ) || which >= UP_PROJ);
}

// ---- the tensors ----

static char *append(char *to, const char *text) {
  while ((*to = *text++)) to++;
  return to;
}

// Whether there is room for one tensor more, named prefix + block + name.
static int add_part(int block, const char *name, int rows, int columns) {
  Tensor *new = &model.part[model.count].base;
  char *end = new->name;
  if (block >= 0) {
    char digits[3] = {block < 10 ? '0' + block : '0' + block / 10, block < 10 ? 0 : '0' + block % 10, 0};
    end = append(append(append(end, "blocks."), digits), ".");
  }
  append(end, name);
  new->rows = rows;
  new->columns = columns;
  new->value = room(4ull * (rows ? rows : 1) * columns);
  model.part[model.count].now = new->value;
  model.count++;
  return new->value != 0;
}

int EXPORT(create)(int vocab_size, int block_size, int n_layer, int n_head, int n_embd) {
  if (vocab_size < 1 || block_size < 1 || n_layer < 1 || n_head < 1 || n_embd < 1) return BAD_MODEL;
  if (vocab_size > 65536 || block_size > 4096 || n_layer > MAX_BLOCKS || n_embd > 4096) return BAD_MODEL;
  if (n_embd % (4ll * n_head)) return BAD_MODEL;
  room_back_to(0);
  __builtin_memset(&model, 0, sizeof(model));
  __builtin_memset(&run, 0, sizeof(run));
  int C = n_embd;
  model.vocab_size = vocab_size, model.block_size = block_size;
  model.n_layer = n_layer, model.n_head = n_head, model.n_embd = C;
  int fine = add_part(-1, "embed_tokens.weight", vocab_size, C) &&
             add_part(-1, "embed_positions.weight", block_size, C);
  for (int b = 0; b < n_layer && fine; b++) {
    fine = add_part(b, "norm_1.weight", 0, C) && add_part(b, "norm_1.bias", 0, C) &&
           add_part(b, "attention.q_proj.weight", C, C) && add_part(b, "attention.k_proj.weight", C, C) &&
           add_part(b, "attention.v_proj.weight", C, C) && add_part(b, "attention.o_proj.weight", C, C) &&
           add_part(b, "norm_2.weight", 0, C) && add_part(b, "norm_2.bias", 0, C) &&
           add_part(b, "mlp.up_proj.weight", 4 * C, C) && add_part(b, "mlp.down_proj.weight", C, 4 * C);
  }
  fine = fine && add_part(-1, "norm.weight", 0, C) && add_part(-1, "norm.bias", 0, C) &&
         add_part(-1, "lm_head.weight", vocab_size, C);
  if (!fine) {
    model.count = 0;
    return NO_MEMORY;
  }
  model.end = room_mark();
  return FINE;
}

// Tensor i of either list; one of nothing where there is no such number.
static Tensor none;
static Tensor *base(int i) { return i >= 0 && i < model.count ? &model.part[i].base : &none; }
static Tensor *learned(int i) { return run.ready && i >= 0 && i < run.count ? &run.learned[i] : &none; }
int EXPORT(base_count)(void) { return model.count; }
const char *EXPORT(base_name)(int i) { return base(i)->name; }
int EXPORT(base_rows)(int i) { return base(i)->rows; }
int EXPORT(base_columns)(int i) { return base(i)->columns; }
float *EXPORT(base_at)(int i) { return base(i)->value; }

// float16 to float32, in place: the halves lie in the first half, so that the last one is read first.
void EXPORT(widen)(int i) {
  const Tensor *tensor = base(i);
  u32 *value = (u32 *)tensor->value;
  const unsigned short *half = (const unsigned short *)value;
  for (long k = (long)(tensor->rows ? tensor->rows : 1) * tensor->columns - 1; k >= 0; k--) {
    union { u32 bits; float x; } number = {(half[k] & 0x7fffu) << 13};
    if (number.bits >= 0x0f800000u) number.bits |= 0x7f800000u;  // infinite, or no number
    else number.x *= 0x1p112f;                                   // its exponent counts from 15, not from 127
    value[k] = number.bits | (half[k] & 0x8000u) << 16;
  }
}

int EXPORT(learned_count)(void) { return run.ready ? run.count : 0; }
const char *EXPORT(learned_name)(int i) { return learned(i)->name; }
int EXPORT(learned_rows)(int i) { return learned(i)->rows; }
int EXPORT(learned_columns)(int i) { return learned(i)->columns; }
float *EXPORT(learned_at)(int i) { return learned(i)->value; }
int EXPORT(learned_size)(void) { return run.ready ? run.size : 0; }
float *EXPORT(gradient_at)(void) { return run.ready ? run.G : 0; }

static int fine_room(float **to, u64 count) { return (*to = room(4 * count)) != 0; }

// Room for all that a step of run.texts texts leaves behind; 0 if there is none.
int activations(void) {
  u64 texts = run.texts, T = model.block_size, n = texts * T, C = model.n_embd, H = 4 * C;
  u64 squares = texts * model.n_head * T * up_to_4(T), ld = up_to_4(model.vocab_size);
  int fine = 1;
  for (int b = 0; b < model.n_layer; b++) {
    Block *a = &work.block[b];
    float **wide[] = {&a->x1, &a->n1, &a->q, &a->k, &a->v, &a->y, &a->x2, &a->n2};
    for (int i = 0; i < 8; i++) fine = fine && fine_room(wide[i], n * C);
    fine = fine && fine_room(&a->stats_1, 2 * n) && fine_room(&a->stats_2, 2 * n) && fine_room(&a->p, squares) &&
           fine_room(&a->u, n * H) && fine_room(&a->h, n * H);
  }
  float **wide[] = {&work.x3, &work.n3, &work.dx, &work.da, &work.dq, &work.dk, &work.dv, &work.asked_y};
  for (int i = 0; i < 8; i++) fine = fine && fine_room(wide[i], n * C);
  fine = fine && fine_room(&work.stats_3, 2 * n) && fine_room(&work.z, n * ld) && fine_room(&work.dh, n * H);
  fine = fine && fine_room(&work.inner, n * run.most_r) && fine_room(&work.dinner, n * run.most_r) && fine_room(&work.weight, n);
  fine = fine && fine_room(&work.square, T * up_to_4(T)) && fine_room(&work.turned, C * up_to_4(T));
  fine = fine && fine_room(&work.chances, texts * ld) && fine_room((float **)&work.masks, (n + 3) / 4);
  fine = fine && fine_room((float **)&work.tokens, texts * (T + 1)) && fine_room((float **)&work.inputs, n);
  fine = fine && fine_room((float **)&work.which, n) && fine_room((float **)&work.targets, n) && fine_room((float **)&work.places, texts) &&
         fine_room((float **)&work.length, texts);
  return fine && fine_room((float **)&work.said, texts) && fine_room((float **)&work.dealt, texts);
}

// ---- one linear layer ----

// y (n, out), rows ldy apart, = x @ W.T for x (n, in), where W has delta_w in it already: y = x @ (W + delta_w).T is
// x @ W.T + scaling * (x @ lora_A.T) @ lora_B.T, but for rounding, and faster. ADD adds to y.
static void linear(const Part *part, int n, const float *x, int add, float *y, int ldy) {
  int out = part->base.rows, in = part->base.columns;
  product(n, out, in, 1, rows_of(x, in), turned(part->now, in), add, y, ldy);
}

// DoRA: the rows of V = W + scaling * lora_B @ lora_A are stretched by row_length / |V|, and |V| counts as a constant (section
// 4.3 of the paper). With G = dy.T @ x: grad_row_length = the rows of G . V / |V|, grad_V = stretch * G,
// grad_lora_A = scaling * lora_B.T @ grad_V, grad_lora_B = scaling * grad_V @ lora_A.T
static void dora_back(const Part *part, int n, const float *x, const float *dy) {
  int out = part->base.rows, in = part->base.columns, r = part->r;
  float *G = run.scratch;
  product(out, in, n, 1, turned(dy, out), rows_of(x, in), SET, G, in);
  for (int o = 0; o < out; o++) {
    double along = 0;
    for (int j = o * in; j < (o + 1) * in; j++) {
      along += (double)G[j] * part->now[j];
      G[j] *= part->stretch[o];
    }
    part->grad_row_length[o] = (float)(along / part->row_length[o]);  // now = row_length * V / |V|
  }
  product(r, in, out, part->scaling, turned(part->lora_B, r), rows_of(G, in), SET, part->grad_A, in);
  product(out, r, in, part->scaling, rows_of(G, in), turned(part->lora_A, in), SET, part->grad_B, r);
}

// dx (n, in) = dy @ W for dy (n, out), again with delta_w in W; dx may be 0, ADD adds to it. grad_W = dy.T @ x,
// grad_lora_A = (scaling * dy @ lora_B).T @ x, grad_lora_B = dy.T @ (scaling * x @ lora_A.T)
static void linear_back(const Part *part, int n, const float *x, const float *dy, int add, float *dx) {
  int out = part->base.rows, in = part->base.columns, r = part->r;
  if (dx) product(n, in, out, 1, rows_of(dy, out), rows_of(part->now, in), add, dx, in);
  if (part->gradient) product(out, in, n, 1, turned(dy, out), rows_of(x, in), SET, part->gradient, in);
  if (part->row_length) dora_back(part, n, x, dy);
  if (!part->lora_A || part->row_length) return;
  product(n, r, out, part->scaling, rows_of(dy, out), rows_of(part->lora_B, r), SET, work.dinner, r);
  product(r, in, n, 1, turned(work.dinner, r), rows_of(x, in), SET, part->grad_A, in);
  product(n, r, in, part->scaling, rows_of(x, in), turned(part->lora_A, in), SET, work.inner, r);
  float *across = run.scratch;  // grad_lora_B.T: a tile is 4 x 8, and this way round it is full
  product(r, out, n, 1, turned(work.inner, r), rows_of(dy, out), SET, across, out);
  for (int o = 0; o < out; o++)
    for (int k = 0; k < r; k++) part->grad_B[o * r + k] = across[k * out + o];
}

static void norm(const Part *scale, int n, const float *x, float *y, float *stats) {
  layer_norm(n, model.n_embd, x, scale->now, scale[1].now, y, stats);
}

static void norm_back(const Part *scale, int n, const float *x, const float *stats, const float *dy, float *dx) {
  layer_norm_back(n, model.n_embd, x, scale->now, stats, dy, dx, scale->gradient, scale[1].gradient);
}

// ---- the whole model ----

// The rows that are asked, of x (rows, C), side by side.
static void gather(const float *x, float *to) {
  for (int i = 0; i < work.asked; i++) copy(to + i * model.n_embd, x + work.which[i] * model.n_embd, model.n_embd);
}

// Puts rows that lie side by side back to their places in x (rows, C), zeros in the others.
static void scatter(int rows, float *x) {
  int C = model.n_embd, i = work.asked - 1;
  for (int row = rows - 1; row > i; row--) {  // from the last on, so that no row is overwritten before it is moved
    if (i >= 0 && work.which[i] == row) copy(x + row * C, x + i-- * C, C);
    else clear(x + row * C, C);
  }
}

// Runs n texts, whose tokens stand in work.inputs (rows), through all blocks: each as far as it is read, or, with a
// stride, word `from` of each, where keys and values of the words before are there already, for texts of `stride` words.
// Of the last block, what follows attention is computed for the rows that are asked only. work.n3 is what lm_head reads
// of these.
static void forward(int n, int from, int stride) {
  int C = model.n_embd, H = 4 * C, rows = work.rows;
  const float *words = model.part[EMBED_TOKENS].now, *places = model.part[EMBED_POSITIONS].now + from * C;
  for (int i = 0, row = 0; i < n; row += work.length[i++])
    embed(1, work.length[i], C, work.inputs + row, words, places, work.block[0].x1 + row * C);
  for (int b = 0; b < model.n_layer; b++) {
    Block *a = &work.block[b];
    float *next = b + 1 < model.n_layer ? work.block[b + 1].x1 : work.x3;
    norm(part_of(b, NORM_1), rows, a->x1, a->n1, a->stats_1);
    linear(part_of(b, Q_PROJ), rows, a->n1, SET, a->q, C);
    linear(part_of(b, K_PROJ), rows, a->n1, SET, a->k + from * C, (stride ? stride : 1) * C);
    linear(part_of(b, V_PROJ), rows, a->n1, SET, a->v + from * C, (stride ? stride : 1) * C);
    float *p = a->p;
    for (int i = 0, row = 0; i < n; row += work.length[i++]) {
      int at = row * C, there = stride ? i * stride * C : at, T = from + work.length[i];
      attention(1, from, T, C, model.n_head, stride, a->q + at, a->k + there, a->v + there, work.turned, p, a->y + at);
      p += model.n_head * T * up_to_4(work.length[i]);
    }
    float *y = a->y;
    if (b + 1 == model.n_layer && work.asked < rows) {
      gather(a->y, y = work.asked_y);
      gather(a->x1, a->x2);
      rows = work.asked;
    } else copy(a->x2, a->x1, (long)rows * C);
    linear(part_of(b, O_PROJ), rows, y, ADD, a->x2, C);  // x2 = x1 + attention
    norm(part_of(b, NORM_2), rows, a->x2, a->n2, a->stats_2);
    linear(part_of(b, UP_PROJ), rows, a->n2, SET, a->u, H);
    gelu((long)rows * H, a->u, a->h);
    copy(next, a->x2, (long)rows * C);
    linear(part_of(b, DOWN_PROJ), rows, a->h, ADD, next, C);  // next = x2 + mlp
  }
  norm(last_part(3), rows, work.x3, work.n3, work.stats_3);
}

// z (n, V) = x @ lm_head.T, rows up_to_4(V) apart
static void logits(int n, const float *x, float *z) {
  int V = model.vocab_size, C = model.n_embd;
  product(n, V, C, 1, rows_of(x, C), turned(last_part(1)->now, C), SET, z, up_to_4(V));
}

// All gradients, from those of the logits (asked, V) in work.z.
static void backward(int n) {
  int C = model.n_embd, H = 4 * C, V = model.vocab_size, ld = up_to_4(V), rows = work.asked;
  Part *head = last_part(1);
  clear(run.G, run.size);
  if (head->gradient) product(V, C, rows, 1, turned(work.z, ld), rows_of(work.n3, C), SET, head->gradient, C);
  product(rows, C, V, 1, rows_of(work.z, ld), rows_of(head->now, C), SET, work.da, C);
  clear(work.dx, (long)rows * C);
  norm_back(last_part(3), rows, work.x3, work.stats_3, work.da, work.dx);
  for (int b = model.n_layer - 1; b >= 0 && b >= run.lowest; b--) {
    Block *a = &work.block[b];
    linear_back(part_of(b, DOWN_PROJ), rows, a->h, work.dx, SET, work.dh);
    multiply((long)rows * H, work.dh, a->u);
    linear_back(part_of(b, UP_PROJ), rows, a->n2, work.dh, SET, work.da);
    norm_back(part_of(b, NORM_2), rows, a->x2, a->stats_2, work.da, work.dx);
    linear_back(part_of(b, O_PROJ), rows, rows < work.rows ? work.asked_y : a->y, work.dx, SET, work.da);
    if (rows < work.rows) {  // the last block
      rows = work.rows;
      scatter(rows, work.da);
      scatter(rows, work.dx);
    }
    const float *p = a->p;
    for (int i = 0, at = 0; i < n; at += work.length[i++] * C) {
      int T = work.length[i];
      attention_back(1, T, C, model.n_head, a->q + at, a->k + at, a->v + at, p, work.da + at, work.square, work.turned,
                     work.dq + at, work.dk + at, work.dv + at);
      p += model.n_head * T * up_to_4(T);
    }
    // Nothing below the lowest block learns; its first norm may.
    float *da = b > run.lowest || part_of(b, NORM_1)->gradient ? work.da : 0;
    linear_back(part_of(b, Q_PROJ), rows, a->n1, work.dq, SET, da);
    linear_back(part_of(b, K_PROJ), rows, a->n1, work.dk, ADD, da);
    linear_back(part_of(b, V_PROJ), rows, a->n1, work.dv, ADD, da);
    if (da) norm_back(part_of(b, NORM_1), rows, a->x1, a->stats_1, da, work.dx);
  }
  Part *words = &model.part[EMBED_TOKENS];
  for (int i = 0, row = 0; words->gradient && i < n; row += work.length[i++])
    embed_back(1, work.length[i], C, work.inputs + row, work.dx + row * C, words->gradient, words[1].gradient);
}

// ---- what the page asks for ----

// Splits the texts into what is read, up to the last word whose next one is learned, and what is to come, and weighs it.
static int read_texts(int n, int T, int masked, int total) {
  if (!run.ready) return TOO_EARLY;
  if (n < 0 || n > run.texts || T < 1 || T > model.block_size || total < 1 || total < n) return BAD_TEXTS;
  work.asked = work.rows = 0;
  for (int i = 0; i < n; i++) {
    const int *text = work.tokens + i * (T + 1);
    const unsigned char *mask = work.masks + i * T;
    int learned = 0, length = 0;
    for (int t = 0; t <= T; t++)
      if (text[t] < 0 || text[t] >= model.vocab_size) return UNKNOWN_WORD;
    for (int t = 0; t < T; t++)
      if (!masked || mask[t]) learned++, length = t + 1;
    if (!learned) return NOTHING_LEARNED;
    work.length[i] = length;
    for (int t = 0; t < length; t++) {
      work.inputs[work.rows++] = text[t];
      if (masked && !mask[t]) continue;
      work.which[work.asked] = work.rows - 1;
      work.targets[work.asked] = text[t + 1];
      work.weight[work.asked++] = 1 / ((float)learned * total);
    }
  }
  return FINE;
}

static int loss_of(int n) {
  int V = model.vocab_size;
  forward(n, 0, 0);
  logits(work.asked, work.n3, work.z);
  last_loss = cross_entropy(work.asked, V, up_to_4(V), work.weight, work.targets, work.z);  // z: its gradient
  return is_finite(last_loss) ? FINE : NOT_FINITE;
}

int EXPORT(gradients)(int n, int T, int masked, int total) {
  int code = read_texts(n, T, masked, total);
  if (code) return code;
  merge(1);
  run.applied = 0;
  code = loss_of(n);
  backward(n);
  return code;
}

int EXPORT(evaluate)(int n, int T, int masked, int total) {
  int code = read_texts(n, T, masked, total);
  if (code) return code;
  if (!run.applied) return TOO_EARLY;
  return loss_of(n);
}

int EXPORT(answer)(int n, int T) {
  int V = model.vocab_size, ld = up_to_4(V);
  if (!run.applied) return TOO_EARLY;
  if (n < 0 || n > run.texts || T < 1 || T > model.block_size) return BAD_TEXTS;
  for (int i = 0; i < n * T; i++)
    if (work.tokens[i] < 0 || work.tokens[i] >= V) return UNKNOWN_WORD;
  work.rows = 0;
  for (int i = 0; i < n; i++) {
    if (work.places[i] < 0 || work.places[i] >= T) return BAD_TEXTS;
    work.length[i] = work.places[i] + 1;
    for (int t = 0; t < work.length[i]; t++) work.inputs[work.rows++] = work.tokens[i * T + t];
    work.which[i] = work.rows - 1;
  }
  work.asked = n;
  forward(n, 0, 0);
  logits(n, work.n3, work.z);
  for (int i = 0; i < n; i++) {
    float *z = work.z + i * ld;
    int best = 0;
    for (int c = 1; c < V; c++)
      if (z[c] > z[best]) best = c;
    work.said[i] = best;
    softmax_row(V, z);
    if (!is_finite(z[0])) return NOT_FINITE;
    copy(work.chances + i * V, z, V);
  }
  return FINE;
}

// A throw u picks the first word whose cumulative probability is above u; -1 where there are no probabilities.
static int pick(float *z, double u, float temperature) {
  int V = model.vocab_size;
  for (int c = 0; c < V; c++) z[c] /= temperature;
  softmax_row(V, z);
  if (!is_finite(z[0])) return -1;
  double sum = 0, below = 0;
  for (int c = 0; c < V; c++) sum += z[c];
  for (int c = 0; c < V - 1; c++) {
    below += z[c];
    if (below > u * sum) return c;
  }
  return V - 1;
}

int EXPORT(generate)(u32 seed, int n, int start, int length, double temperature) {
  static Dice dice;
  int ld = up_to_4(model.vocab_size);
  if (!run.applied) return TOO_EARLY;
  if (n < 0 || n > run.texts || start < 1 || start > length || length > model.block_size) return BAD_TEXTS;
  if (!(temperature > 0) || !is_finite(temperature)) return BAD_SETTING;
  for (int i = 0; i < n; i++)
    for (int t = 0; t < start; t++)
      if (work.tokens[i * length + t] < 0 || work.tokens[i * length + t] >= model.vocab_size) return UNKNOWN_WORD;
  dice_seed(&dice, seed);
  work.asked = work.rows = n;
  for (int i = 0; i < n; i++) work.length[i] = 1;
  for (int t = 0; t + 1 < length; t++) {  // one word of each text at a time
    for (int i = 0; i < n; i++) work.inputs[i] = work.tokens[i * length + t];
    forward(n, t, length);
    if (t + 1 < start) continue;
    logits(n, work.n3, work.z);
    for (int i = 0; i < n; i++) {
      int word = pick(work.z + i * ld, dice_double(&dice), (float)temperature);
      if (word < 0) return NOT_FINITE;
      work.tokens[i * length + t + 1] = word;
    }
  }
  return FINE;
}

int *EXPORT(dealt)(int hand, int count) {
  if (!run.ready || count < 0 || count > run.texts || !has_dealt(hand)) return 0;
  hand_out(hand, count, work.dealt);
  return work.dealt;
}
