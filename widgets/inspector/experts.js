// Experts of a mixture: layers of their own in PEFT, one stack of them in MLX and llama.cpp.
// compute/adapters/formats/experts.py and writing.py do the same.

import { NotOpened, told } from './refused.js'
import { DTYPES, fitting, joined } from './safetensors.js'

const MIXTRAL = { gate_proj: 'w1', down_proj: 'w2', up_proj: 'w3' } // by MLX's names, those of Mixtral and its like
const STACKED = /^(.*)\b(mlp|block_sparse_moe)\.switch_mlp\.(gate_proj|down_proj|up_proj)\[(\d+)\]$/
const APART =
  /^(.*)\b(?:mlp\.experts\.(\d+)\.(gate_proj|down_proj|up_proj)|block_sparse_moe\.experts\.(\d+)\.(w[123]))$/

/** What an expert of MLX's stack is called as a layer of its own; undefined for any other name. */
export function apart(name) {
  const [, start, block, matrix, i] = STACKED.exec(name) ?? []
  return i && `${start}${block}.experts.${i}.${block === 'mlp' ? matrix : MIXTRAL[matrix]}`
}

/** The other way round: the name of the stack, and which expert it is. */
function stacked(name) {
  const [, start, i, matrix, j, letter] = APART.exec(name) ?? []
  if (matrix) return [`${start}mlp.switch_mlp.${matrix}`, Number(i)]
  if (!letter) return []
  const own = Object.keys(MIXTRAL).find((each) => MIXTRAL[each] === letter)
  return [`${start}block_sparse_moe.switch_mlp.${own}`, Number(j)]
}

/** Both factors in a type, with r directions, of which the last are zero, and lora_B times a number. */
export function recoded({ A, B, dtype, ...factors }, type, by = 1, r = factors.r) {
  const [right, left] = [A, B].map((bytes) => DTYPES[dtype][1](bytes.buffer))
  const [wide, long] = [right, left].map(({ length }) => new Float64Array((length / factors.r) * r))
  wide.set(right)
  left.forEach((value, at) => (long[at + Math.floor(at / factors.r) * (r - factors.r)] = by * value))
  return { ...factors, A: fitting(wide, type), B: fitting(long, type), r, dtype: type }
}

/** Factors of several experts one after the other; `notes` hears of what is changed for that. */
function heaped(group, notes) {
  const all = group.map(({ factors }) => factors)
  const [{ scale, dtype }] = all
  const r = Math.max(...all.map((each) => each.r))
  const [even, alike] = [all.every((each) => each.scale === scale), all.every((each) => each.dtype === dtype)]
  const filled = all.some((each) => each.r < r)
  if (!even) notes.add('lossy')
  if (filled) notes.add('filled')
  const type = alike && !dtype.startsWith('F8') ? dtype : 'F32'
  const made =
    even && alike && !filled
      ? all
      : group.map(({ factors }) => recoded(factors, type, even ? 1 : factors.scale, r))
  const of = (side) => joined(made.map((each) => each[side]))
  return { ...made[0], A: of('A'), B: of('B'), scale: even ? scale : 1 }
}

/** The layers as a format has them, with the experts of each in one, whose factors have a side more: `experts` of them. */
export function withExperts(layers, format, notes) {
  const stacks = new Map()
  const found = []
  for (const layer of layers) {
    const { name, expert, spelling } = layer
    const flat = apart(name) ?? name
    let [stack, i] = ['mlx', 'gguf'].includes(format) && spelling !== 'gguf' ? stacked(flat) : []
    if (!stack && expert && flat === name) {
      if (spelling !== format) throw new NotOpened('experts', { name: told(name) })
      stack = name.slice(0, name.lastIndexOf('['))
      ;[i] = expert
    }
    if (!stack) {
      found.push({ ...layer, name: flat })
      continue
    }
    if (!stacks.has(stack)) {
      stacks.set(stack, [])
      found.push({ ...layer, name: stack })
    }
    stacks.get(stack)[i] = layer
  }
  return found.map((layer) => {
    const group = stacks.get(layer.name)
    if (!group) return layer
    if (Object.keys(group).length < group.length) throw new NotOpened('unstacked', { name: told(layer.name) })
    return { ...layer, experts: group.length, factors: heaped(group, notes) }
  })
}
