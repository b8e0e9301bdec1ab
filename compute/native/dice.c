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
