#pragma once
// The page's trainer: the mini-model of compute/model/gpt.py, finetuned in a Worker.
//
// Freestanding C, compiled to WebAssembly by build.py: nothing is imported, nothing traps, one instance is one trainer.
// This comment is all that a page needs to know. Pointers are byte offsets into the exported `memory`, which may grow
// in create and prepare: make views of it anew after these. Matrices are row-major float32; a flag is 0 or 1.
//
// A model
//   create(vocab_size, block_size, n_layer, n_head, n_embd)
//                        forgets everything before
//   base_count()         tensors of the base, in the order of GPT.state_dict(); of tensor i:
//   base_name(i), base_rows(i), base_columns(i), base_at(i)
//                        a C string, as in "blocks.0.mlp.up_proj.weight"; a vector has 0 rows; where the page writes
//                        the values, float32
//   widen(i)             or float16, side by side from base_at(i) on: then this makes them float32
//
// A run
//   ranks_at(), alphas_at()
//                        where the page writes, before prepare, a number for each tensor of the base: r, the rank of its
//                        adapter, int32, 1 to 64 or 0 where it has none, as all have that are no linear layer of a block;
//                        and alpha, the numerator of its scaling, float64
//   prepare(method, scaling_rule, init, seed, embeddings, texts)
//                        method        0 LoRA, 1 full, 2 embeddings, 3 norms, 4 DoRA; for all but LoRA and DoRA the ranks
//                                      and what follows, up to texts, are not read
//                        scaling_rule  0 alpha/r, 1 alpha/sqrt(r)
//                        init          0 B=0, 1 A=0, 2 both zero, 3 both random, 4 mixed, 5 orthogonal (r even), drawn as
//                                      torch draws them; 6 PiSSA: from the r largest singular directions of the
//                                      weights, which are taken out of these. What is learned, delta_w, is then the
//                                      change since, of rank 2 r at most. DoRA has 0 alone
//                        seed          of these, 32 bits
//                        embeddings    flag: embed_tokens and lm_head learn beside the adapter
//                        texts         how many one call may read, at most
//                        The base is never written to: any number of runs can start from it, one after the other.
//   learned_count()      tensors that learn, in the order of the base's; of tensor i:
//   learned_name(i), learned_rows(i), learned_columns(i), learned_at(i)
//                        as above. Factors are "blocks.0.mlp.up_proj.lora_A" (r, in) and then "….lora_B" (out, r):
//                        PEFT's file has the same values as "base_model.model.blocks.0.mlp.up_proj.lora_A.weight". DoRA
//                        has "….row_length" (out) besides, PEFT's lora_magnitude_vector. May be written to, to start or
//                        to go on from given values.
//   learned_size()       numbers that learn: they lie side by side from learned_at(0) on, their gradients in the same
//   gradient_at()        order from here on
//
// A step
//   deal(hand, seed, n_texts), dealt(hand, count)
//                        which texts to read: after deal, dealt is a pointer to the next `count` numbers (int32) below
//                        n_texts, as compute.text.batches draws them; 0 if there was no deal, or count is above
//                        `texts`. hand 0 or 1: two decks, for the task's texts and for the base's own
//   tokens_at(), masks_at()
//                        where the page writes n texts side by side: int32 (n, T + 1), and bytes (n, T) that are 1
//                        where the next word is learned. T, at most block_size, may be another one in every call.
//   gradients(n, T, masked, total)
//                        computes loss and gradients; without the flag masked every word is learned. Each text counts
//                        alike: loss() is the sum of their mean losses, over `total`, the texts of the whole step. So
//                        Workers that each read a share (n = 0 is one) with the same total have losses and gradients
//                        that add up: sum those of gradient_at() in a fixed order, write the sum back in each, and
//                        update all.
//   loss()               float64
//   gradient_norm(kind)  float64: 0 of all lora_A, 1 of all lora_B, 2 of what else learns
//   update(optimizer, learning_rate)
//                        0 AdamW, 1 SGD, as torch has them by default; the moments of AdamW begin with prepare
//
// What it can do now
//   apply(strength)      first, after any gradients or update: the next three see the base with strength * delta_w, and
//                        what else was learned whole. Training is not changed by it.
//   evaluate(n, T, masked, total)
//                        loss(), as of gradients
//   answer(n, T)         for texts (n, T), in each of which the page says which word is the last one to read:
//   places_at()          by its place, written here, int32 (n,),
//   said_at()            finds the most likely next word, int32 (n,),
//   chances_at()         and how likely each word is, (n, vocab_size)
//   generate(seed, n, start, length, temperature)
//                        continues texts (n, length), of each the first `start` words given, where they stand, by the
//                        throws of compute.model.gpt.generate
//   delta_w(i)           what was learned of base tensor i, a linear layer's: a pointer to (out, in), 0 if nothing could
//                        be
//   spectrum(i), spectrum_size()
//                        its singular values, descending: a pointer to so many float64. Read it, or delta_w, before
//                        the next call of either: they share their room.
//
// create, prepare, deal, gradients, update, apply, evaluate, answer and generate return one of these. Where
// they refuse, nothing has been done and the trainer can be used on; but a refused prepare leaves no run, a refused
// create none and no model that was there before, unless it refused with BAD_MODEL.
enum {
  FINE = 0,
  BAD_MODEL = 1,        // a size below 1, above its limit, or n_embd no multiple of 4 * n_head
  NO_MEMORY = 2,        // the browser gives no more, or more than a GB would be needed
  TOO_EARLY = 3,        // what comes before has not been called: create, prepare, apply
  BAD_SETTING = 4,      // none of the choices above, or no finite number
  BAD_TEXTS = 5,        // more texts or words than there is room for, or than total; a place outside its text
  UNKNOWN_WORD = 6,     // a token outside the vocabulary
  NOTHING_LEARNED = 7,  // a text none of whose words is learned
  NOT_FINITE = 8,       // computed, but the numbers are not finite: the run has diverged
};

#include "numbers.h"

// ---- memory.c: room that is given, and taken back all at once ----
void *room(u64 bytes);  // 16-byte aligned zeros; 0 if there is no more
u64 room_mark(void);
void room_back_to(u64 mark);

// ---- products.c ----
typedef struct {
  const float *at;
  int row, column;  // numbers from one row, and from one column, to the next
} View;
INLINE View rows_of(const float *at, int columns) { return (View){at, columns, 1}; }
INLINE View turned(const float *at, int columns) { return (View){at, 1, columns}; }
enum { SET = 0, ADD = 1 };
void product(int M, int N, int K, float alpha, View A, View B, int add, float *C, int ldc);

// ---- layers.c ----
void embed(int n, int T, int C, const int *tokens, const float *words, const float *places, float *x);
void embed_back(int n, int T, int C, const int *tokens, const float *dx, float *dwords, float *dplaces);
void layer_norm(int n, int C, const float *x, const float *w, const float *b, float *y, float *stats);
void layer_norm_back(int n, int C, const float *x, const float *w, const float *stats, const float *dy, float *dx,
                     float *dw, float *db);
void gelu(long n, float *u, float *y);
void multiply(long n, float *y, const float *x);
void attention(int n, int from, int T, int C, int heads, int stride, const float *q, const float *k, const float *v,
               float *turned_q, float *p, float *y);
void attention_back(int n, int T, int C, int heads, const float *q, const float *k, const float *v, const float *p,
                    const float *dy, float *d, float *turned_dy, float *dq, float *dk, float *dv);
double cross_entropy(int n, int V, int ld, const float *weight, const int *target, float *z);
void softmax_row(int n, float *z);

// ---- dice.c: torch's ----
typedef struct {
  u32 state[624];
  int used;
} Dice;
void dice_seed(Dice *dice, u32 seed);
u32 dice_32(Dice *dice);
double dice_double(Dice *dice);
void dice_normal(Dice *dice, int n, float *x);
void dice_uniform(Dice *dice, int n, float low, float high, float *x);
int has_dealt(int hand);
void hand_out(int hand, int count, int *numbers);

// ---- spectra.c ----
void principal_columns(int columns, int rows, int r, double *M);
void reflections(int n, double *M, double *Q);
void singular_values(int columns, int rows, double *M);
void singular_values_of_product(int rank, int out, int in, double *B, double *A, double *R);

// ---- model.c: the tensors, forward and backward ----
typedef struct {
  char name[48];
  int rows, columns;  // a vector has 0 rows
  float *value;
} Tensor;

// One tensor of the base, and what is learned of it or beside it. Pointers are 0 where there is no such thing.
typedef struct {
  Tensor base;
  float *now;  // what the model computes with: the base's value, a copy that learns, or W + strength * delta_w
  float *gradient;  // of a copy that learns
  int r;            // of the adapter, 0 where there is none
  float scaling;
  float *lora_A, *lora_B, *start_A, *start_B, *grad_A, *grad_B;  // (r, in), (out, r); start_ of PiSSA only
  float *row_length, *stretch, *grad_row_length;                 // (out) of DoRA; stretch: of each row, by how much
} Part;

enum { EMBED_TOKENS, EMBED_POSITIONS, FIRST_BLOCK };
enum { NORM_1, NORM_1_BIAS, Q_PROJ, K_PROJ, V_PROJ, O_PROJ, NORM_2, NORM_2_BIAS, UP_PROJ, DOWN_PROJ, PARTS };
enum { MAX_BLOCKS = 32, MAX_PARTS = FIRST_BLOCK + MAX_BLOCKS * PARTS + 3, MAX_R = 64 };
enum { LORA, FULL, EMBEDDINGS, NORMS, DORA, METHODS };

extern struct Model {
  int vocab_size, block_size, n_layer, n_head, n_embd;
  int count;  // parts; 0: there is no model yet
  u64 end;    // of the room that the model takes
  Part part[MAX_PARTS];
} model;

extern struct Run {
  int ready, method, texts;
  int most_r;                      // the largest rank, 1 at least
  int count;                       // tensors that learn
  long size;                       // numbers that learn
  float *P, *G, *first, *second;   // all that learns: values, gradients, AdamW's two moments
  double beta1_t, beta2_t;         // AdamW's decays, to the power of the updates made
  int applied;                     // whether `apply` came after the last gradients and update
  int lowest;                      // first block in which something learns; -1 where the embeddings do
  Tensor learned[3 * MAX_PARTS];
  float *scratch;                  // where delta_w and spectrum work and answer
} run;

Part *part_of(int block, int which);
int is_linear(int i);  // whether part i is a linear layer of a block
int activations(void);
double squares(const float *x, long n);
void merge(float strength);
