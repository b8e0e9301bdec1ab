// Room: the memory of the module behind its constants, given from front to back, and taken back all at once.
#include "trainer.h"

extern unsigned char __heap_base;  // of the linker
#define LIMIT (1u << 30)           // a GB: pages on a phone are closed for less

static u64 top;

void *room(u64 bytes) {
  if (!top) top = ((u64)(unsigned long)&__heap_base + 15) & ~15ull;
  u64 end = (top + bytes + 15) & ~15ull, have = (u64)__builtin_wasm_memory_size(0) << 16;
  if (bytes > LIMIT || end > LIMIT) return 0;
  unsigned long pages = end > have ? (unsigned long)((end - have + 65535) >> 16) : 0;
  if (pages && __builtin_wasm_memory_grow(0, pages) == (unsigned long)-1) return 0;
  void *given = (void *)(unsigned long)top;
  __builtin_memset(given, 0, (unsigned long)bytes);
  top = end;
  return given;
}

u64 room_mark(void) { return top; }
void room_back_to(u64 mark) { top = mark; }

// For the tests, which hand arrays to single functions.
void *EXPORT(room_for)(int bytes) { return room((u32)bytes); }
