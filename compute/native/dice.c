// Torch's dice: the Mersenne twister mt19937 (Matsumoto & Nishimura 1998), and what torch makes of its throws.
#include "trainer.h"

void dice_seed(Dice *dice, u32 seed) {
  dice->state[0] = seed;
  for (int i = 1; i < 624; i++)
    dice->state[i] = 1812433253u * (dice->state[i - 1] ^ (dice->state[i - 1] >> 30)) + i;
  dice->used = 624;
}

u32 dice_32(Dice *dice) {
  u32 *s = dice->state;
  if (dice->used == 624) {
    for (int i = 0; i < 624; i++) {
      u32 y = (s[i] & 0x80000000u) | (s[(i + 1) % 624] & 0x7fffffffu);
      s[i] = s[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    dice->used = 0;
  }
  u32 y = s[dice->used++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

// torch.rand(dtype=torch.float64): the lower 53 of 64 bits, the first throw being the upper half.
double dice_double(Dice *dice) {
  u64 high = dice_32(dice), low = dice_32(dice);
  return ((high << 32 | low) & ((1ull << 53) - 1)) * 0x1p-53;
}

// tensor.uniform_(low, high) in float32: 24 bits of a throw, times the range, plus low, rounded once. In float64 the
// product is exact, so that this is the fused multiply-add that torch is compiled to.
void dice_uniform(Dice *dice, int n, float low, float high, float *x) {
  float range = high - low;
  for (int i = 0; i < n; i++) x[i] = (float)((dice_32(dice) & 0xffffff) * 0x1p-24 * range + low);
}

// cos(a) and sin(a) for 0 <= a < 2 pi, by their series around pi.
static void circle(double a, double *cosine, double *sine) {
  double x = a - 3.14159265358979323846, term = -1, sums[2] = {0, 0};
  for (int k = 0; k < 32; term *= x / ++k) sums[k & 1] += k & 2 ? -term : term;
  *cosine = sums[0], *sine = sums[1];
}

// torch.randn: the angle and the radius of Box and Muller (1958). Sixteen numbers at a time where there are so many, the
// last sixteen thrown anew where they do not come out even; else two at a time, in float64. n is even.
void dice_normal(Dice *dice, int n, float *x) {
  double cosine, sine;
  if (n < 16) {
    for (int i = 0; i < n; i += 2) {
      double angle = dice_double(dice), radius = __builtin_sqrt(-2 * log1(1 - dice_double(dice)));
      circle(angle * 6.28318530717958647692, &cosine, &sine);
      x[i] = (float)(radius * cosine), x[i + 1] = (float)(radius * sine);
    }
    return;
  }
  dice_uniform(dice, n, 0, 1, x);
  for (int i = 0; i < n; i += 16) {
    float *some = x + min(i, n - 16);
    if (i > n - 16) dice_uniform(dice, 16, 0, 1, some);
    for (float *y = some; y < some + 8; y++) {
      double radius = __builtin_sqrt(-2 * log1(1 - y[0]));
      circle(y[8] * 6.28318530717958647692, &cosine, &sine);
      y[0] = (float)(radius * cosine), y[8] = (float)(radius * sine);
    }
  }
}

// torch.randint(n_texts, (steps, batch_size)): each throw modulo n_texts. Two decks, each with a seed of its own.
static struct {
  Dice dice;
  u32 n_texts;  // 0: not dealt yet
} hands[2];

int EXPORT(deal)(int hand, u32 seed, int n_texts) {
  if (hand < 0 || hand > 1 || n_texts < 1) return BAD_SETTING;
  dice_seed(&hands[hand].dice, seed);
  hands[hand].n_texts = n_texts;
  return FINE;
}

void hand_out(int hand, int count, int *numbers) {
  for (int i = 0; i < count; i++) numbers[i] = dice_32(&hands[hand].dice) % hands[hand].n_texts;
}
int has_dealt(int hand) { return hand >= 0 && hand <= 1 && hands[hand].n_texts > 0; }
