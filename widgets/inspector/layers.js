// Tensors become layers: what each has is said as a product of small parts, whatever the format. A layer has {name, kind,
// shape, r, parts, alpha, numbers, bytes}; `changeOf` gives its change of W without the scale.

import { FUSED, OTHERS, placed, whereIs } from './keys.js'
import { byColumns, byRows } from './linear.js'
import { NotOpened, told } from './refused.js'
import { numbersOf } from './safetensors.js'

// What changes a vector: a bias, a norm; and a weight that is put in place of another.
const VECTORS = ['diff_b', 'w_norm', 'b_norm', 'set_weight', 'reshape_weight', 'bias', 'scalar']
const MOST_EXPERTS = 1024
const product = (sides) => sides.reduce((all, side) => all * side, 1)
const flat = ([first, ...rest]) => [first, product(rest)] // (out, in, kh, kw) as a matrix

/** Which kind of change a module's parts make, or null where they are not complete. */
function kindOf(parts) {
  const has = (...names) => names.every((name) => parts[name])
  if (has('A', 'B')) return parts.E ? 'adalora' : 'lora'
  if (has('embedding_A', 'embedding_B')) return 'embedding'
  if (has('down', 'up')) return parts.mid ? 'tucker' : 'lora'
  if (has('a', 'b')) return 'mlx'
  if (has('hada_w1_a', 'hada_w1_b', 'hada_w2_a', 'hada_w2_b')) return 'loha'
  const one = has('lokr_w1') || has('lokr_w1_a', 'lokr_w1_b')
  if (one && (has('lokr_w2') || has('lokr_w2_a', 'lokr_w2_b'))) return 'lokr'
  if (parts.diff) return 'full'
  return null
}

/** The two thin parts of a product: A with r rows, B with r columns. */
const thin = (parts) => [
  parts.A ?? parts.down ?? parts.embedding_A ?? parts.a,
  parts.B ?? parts.up ?? parts.embedding_B ?? parts.b,
]

/** Shape (out, in) and paid rank of a layer, or null where its parts do not fit each other. */
function sized(kind, parts, transposed) {
  const shape = (part) => parts[part].shape
  if (kind === 'full') {
    const whole = flat(shape('diff'))
    return { shape: whole, r: Math.min(...whole) }
  }
  if (kind === 'loha') {
    const [one, other] = ['hada_w1', 'hada_w2'].map((name) => {
      const [a, b, t] = [shape(`${name}_a`), shape(`${name}_b`), parts[`hada_t${name.at(-1)}`]?.shape]
      if (t)
        return a[0] === b[0] && t[0] === a[0] && t[1] === b[0] ? [a[0], a[1], b[1] * product(t.slice(2))] : []
      return a[1] === b[0] ? [a[1], a[0], product(b.slice(1))] : []
    })
    if (!one.length || one[1] !== other[1] || one[2] !== other[2]) return null
    return { shape: [one[1], one[2]], r: one[0] }
  }
  if (kind === 'lokr') {
    const [one, other] = ['lokr_w1', 'lokr_w2'].map((name) => {
      if (parts[name]) return [...flat(shape(name)), 0]
      const [a, b, t] = [shape(`${name}_a`), shape(`${name}_b`), name.endsWith('2') && parts.lokr_t2?.shape]
      if (t) return t[0] === a[0] && t[1] === b[0] ? [a[1], b[1] * product(t.slice(2)), a[0]] : []
      return a[1] === b[0] ? [a[0], product(b.slice(1)), a[1]] : []
    })
    if (one.length < 3 || other.length < 3) return null
    const most = Math.min(one[0], one[1]) * Math.min(other[0], other[1]) // of two that are whole
    return { shape: [one[0] * other[0], one[1] * other[1]], r: Math.max(one[2], other[2]) || most }
  }
  const [A, B] = thin(parts).map((part) => part.shape)
  if (A.length < 2 || B.length < 2) return null
  if (kind === 'gguf') return A[0] === B[1] && A.length === 2 ? { shape: [B[0], A[1]], r: A[0] } : null
  if (kind === 'mlx') {
    const [[into, r], [r2, out]] = [A, B]
    return r === r2 && A.length === 2 && B.length === 2 ? { shape: [out, into], r } : null
  }
  const r = A[0]
  if (kind === 'tucker') {
    const mid = shape('mid')
    const fits = mid[0] === B[1] && mid[1] === r
    return fits ? { shape: [B[0], product(A.slice(1)) * product(mid.slice(2))], r } : null
  }
  if (product(B.slice(1)) !== r) return null
  if (kind === 'adalora' && product(shape('E')) !== r) return null
  const [out, into] = [B[0], product(A.slice(1))]
  return { shape: transposed ? [into, out] : [out, into], r }
}

/** A part of a tensor along its first side: `some` equal pieces, the i-th. */
function piece(part, some, i) {
  const size = (part.to - part.from) / some
  const from = part.from + i * size
  return { ...part, count: part.count / some, from, to: from + size }
}

/**
 * Several experts in one pair of tensors: the parts of each. PEFT keeps r rows of lora_A for each, and every n-th column
 * of lora_B (tuners/lora/layer.py, ParamWrapper); others have a first side more.
 */
function experts(parts, config) {
  const [A, B] = thin(parts)
  if (!A || !B) return null
  const [name, other] = ['A', 'a', 'B', 'b'].filter((each) => parts[each])
  if (A.shape.length === 3 && B.shape.length === 3 && A.shape[0] === B.shape[0]) {
    const some = A.shape[0]
    if (!some || some > MOST_EXPERTS) return null
    const cut = (part, i) => ({ ...piece(part, some, i), shape: part.shape.slice(1) })
    return Array.from({ length: some }, (_, i) => ({ A: cut(A, i), B: cut(B, i) }))
  }
  const r = config?.r
  if (!config?.target_parameters?.length || name !== 'A' || other !== 'B' || A.shape.length !== 2) return null
  const some = A.shape[0] / r
  if (!Number.isInteger(some) || some < 2 || some > MOST_EXPERTS || B.shape[1] !== A.shape[0]) return null
  return Array.from({ length: some }, (_, i) => ({
    A: { ...piece(A, some, i), shape: [r, A.shape[1]] },
    B: { ...B, shape: [B.shape[0], r], count: B.count / some, every: [i, some] },
  }))
}

/**
 * The layers of what was given, ordered by name: {layers, notes, parts, saved, loose}: `parts` are those that any layer
 * has, `saved` says whether there are tensors of no layer. A note is {kind, name, ...}: a key that has no
 * place, a half of a pair, shapes that do not fit, a weight that is saved whole.
 */
export function layersOf({ weights, config }) {
  const modules = new Map()
  const notes = []
  const seen = new Set()
  const rest = []
  for (const { name: file, tensors } of weights)
    for (const tensor of tensors.values()) {
      const found = placed(tensor.name)
      if (!found) {
        rest.push({ ...tensor, file })
        continue
      }
      const { module, part, ...about } = found
      if (!modules.has(module)) modules.set(module, { parts: {}, spelling: '', adapter: '', wrapped: false })
      const group = modules.get(module)
      if (group.parts[part]) notes.push({ kind: 'twice', name: told(`${module}.${part}`) })
      group.parts[part] ??= tensor
      for (const [key, value] of Object.entries(about)) group[key] ||= value
      seen.add(part)
    }
  const layers = []
  const gguf = weights.some((each) => each.gguf)
  const { compare } = new Intl.Collator('en', { numeric: true }) // block 10 behind block 9
  for (const [module, { parts, ...about }] of [...modules].sort(([one], [other]) => compare(one, other))) {
    const kind = kindOf(parts)
    if (kind === null) {
      const known = Object.keys(parts)
      const quiet = known.every((part) => VECTORS.includes(part))
      notes.push({ kind: quiet ? 'vector' : 'half', name: told(module), parts: known.join(', ') })
      continue
    }
    for (const part of Object.keys(parts))
      if (VECTORS.includes(part)) notes.push({ kind: 'vector', name: told(module), parts: part })
    const each = experts(parts, config) ?? [parts]
    for (const [i, own] of each.entries()) {
      const single = each.length === 1 && own === parts
      const form = single && kind === 'mlx' && gguf ? 'gguf' : single || parts.A ? kind : 'lora' // of experts MLX keeps lora_a as others do
      const fits = sized(form, own, kind === 'embedding')
      if (!fits || ![...fits.shape, fits.r].every((side) => side > 0)) {
        notes.push({ kind: 'misfit', name: told(module) })
        break
      }
      const name = single ? module : `${module}[${i}]`
      const stored = Object.values(own)
      const sum = (of) => stored.reduce((all, part) => all + of(part), 0)
      layers.push({
        name,
        ...whereIs(name),
        kind: form,
        ...fits,
        parts: own,
        module,
        ...about,
        spelling: about.spelling !== 'small' ? about.spelling : gguf ? 'gguf' : 'mlx',
        expert: single ? null : [i, each.length],
        alpha: parts.alpha ?? null,
        dora: parts.magnitude ?? null,
        conv: stored.some((part) => part.shape.length === 4),
        fused: FUSED.test(module),
        numbers: sum((part) => part.count),
        bytes: sum(
          (part) =>
            (part.count * (part.to - part.from)) /
            (part.every ? part.count * part.every[1] : part.count || 1),
        ),
        dtype: stored.find((part) => part.shape.length > 1)?.dtype ?? stored[0].dtype,
      })
    }
  }
  if (!layers.length) throw whyNot(config, rest, weights, modules)
  notes.push(...leftOver(rest, config, weights))
  const loose = [...modules.values()].flatMap(({ parts }) =>
    Object.keys(parts)
      .filter((part) => VECTORS.includes(part))
      .map((part) => parts[part]),
  )
  const saved = rest.some(({ name }) => !name.includes('.base_layer.')) && !gguf
  return { layers, notes, parts: seen, saved, loose: [...rest, ...loose] }
}

/** What is told of tensors that belong to no layer; of a file that has no other, once. */
function leftOver(rest, config, weights) {
  const aside = weights.filter(({ tensors }) => [...tensors.keys()].every((name) => !placed(name)))
  const names = new Set(aside.map(({ name }) => name))
  const saved = Array.isArray(config?.modules_to_save) ? config.modules_to_save.map(String) : []
  const kind = (name) => {
    if (name.includes('.base_layer.')) return 'base'
    return saved.some((module) => name.split('.').includes(module)) ? 'saved' : 'unmatched'
  }
  return [
    ...aside.map(({ name, tensors }) => ({ kind: 'aside', name: told(name), tensors: tensors.size })),
    ...rest
      .filter(({ file }) => !names.has(file))
      .map(({ name }) => ({ kind: kind(name), name: told(name) })),
  ]
}

/** Why there are no layers: another method, a whole model, or nothing that is known. */
function whyNot(config, rest, weights, modules) {
  const said = typeof config?.peft_type === 'string' ? config.peft_type : null
  const [kind] = OTHERS.find(([, pattern]) => rest.some(({ name }) => pattern.test(name))) ?? []
  const name = told(weights[0].name)
  const known = !['LORA', 'ADALORA', 'LOHA', 'LOKR'].includes(said) && said
  if (known || kind) return new NotOpened('method', { name, kind: told(known || kind) })
  if (modules.size) return new NotOpened('broken', { name })
  const bytes = rest.reduce((sum, { from, to }) => sum + to - from, 0)
  return new NotOpened(rest.length ? 'model' : 'hollow', {
    name,
    tensors: rest.length,
    megabytes: bytes / 1e6,
  })
}

/** Every n-th column of a matrix by rows, where only these belong to an expert. */
function strided(values, { every, shape: [rows, columns] }) {
  if (!every) return values
  const [first, n] = every
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns]
    return values[i * columns * n + j * n + first]
  })
}

/** The numbers of a part. */
export const numbersIn = async (part) => strided(await numbersOf(part), part)

/** A 4-d tensor (a, b, kh, kw) contracted over b with a matrix (b, n): (a, n * kh * kw). */
function contracted(tensor, [a, b, ...window], matrix, n) {
  const k = product(window)
  const found = new Float64Array(a * n * k)
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let p = 0; p < n; p++) {
        const by = matrix[j * n + p]
        if (!by) continue
        for (let q = 0; q < k; q++) found[(i * n + p) * k + q] += by * tensor[(i * b + j) * k + q]
      }
  return found
}

/** Columns of a factor whose j-th and k-th are multiplied, each with each: the factor of a product by entries. */
function crossed(one, other) {
  const { n } = one
  const values = new Float64Array(n * one.r * other.r)
  let at = 0
  for (const x of one.columns)
    for (const y of other.columns) for (let i = 0; i < n; i++) values[at++] = x[i] * y[i]
  return byColumns(values, n, one.r * other.r)
}

/** One of the two matrices of LoKr: a product {B, A}, or {dense: columns}. */
async function side(parts, name, get) {
  if (parts[name]) {
    const [n, m] = flat(parts[name].shape)
    return { dense: byRows(await get(name), n, m).columns }
  }
  const [a, b] = [await get(`${name}_a`), await get(`${name}_b`)]
  const [shapeA, shapeB] = [parts[`${name}_a`].shape, parts[`${name}_b`].shape]
  if (name.endsWith('2') && parts.lokr_t2) {
    const { shape } = parts.lokr_t2
    const wide = contracted(await get('lokr_t2'), shape, b, shapeB[1])
    return {
      B: byColumns(a, shapeA[1], shapeA[0]),
      A: byColumns(wide, shapeB[1] * product(shape.slice(2)), shape[0]),
    }
  }
  return { B: byRows(a, shapeA[0], shapeA[1]), A: byColumns(b, product(shapeB.slice(1)), shapeB[0]) }
}

/** One of the two products of LoHa, as factors. */
async function half(parts, i, get) {
  const [a, b] = [await get(`hada_w${i}_a`), await get(`hada_w${i}_b`)]
  const [shapeA, shapeB] = [parts[`hada_w${i}_a`].shape, parts[`hada_w${i}_b`].shape]
  const t = parts[`hada_t${i}`]
  if (!t) return { B: byRows(a, shapeA[0], shapeA[1]), A: byColumns(b, product(shapeB.slice(1)), shapeB[0]) }
  const wide = contracted(await get(`hada_t${i}`), t.shape, b, shapeB[1])
  return {
    B: byColumns(a, shapeA[1], shapeA[0]),
    A: byColumns(wide, shapeB[1] * product(t.shape.slice(2)), t.shape[0]),
  }
}

/**
 * The change of W that a layer makes, without its scale: {B, A} is B A.T, {kron: [one, other]} a Kronecker product of
 * such, {dense} columns of a matrix. The numbers are read anew each time, and are the caller's.
 */
export const changeOf = ({ kind, parts, ...layer }) =>
  change(kind, layer, parts, (name) => numbersIn(parts[name]))

async function change(kind, { shape, r }, parts, get) {
  if (kind === 'full') {
    return { dense: byRows(await get('diff'), ...shape).columns }
  }
  if (kind === 'lokr') return { kron: [await side(parts, 'lokr_w1', get), await side(parts, 'lokr_w2', get)] }
  if (kind === 'loha') {
    const [one, other] = [await half(parts, 1, get), await half(parts, 2, get)]
    return { B: crossed(one.B, other.B), A: crossed(one.A, other.A) }
  }
  if (kind === 'mlx') {
    const [out, into] = shape
    const [a, b] = await Promise.all([get('a'), get('b')])
    return { B: byColumns(b, out, r), A: byRows(a, into, r) }
  }
  const names = Object.keys(parts)
  const [nameA, nameB] = thin(parts).map((part) => names.find((name) => parts[name] === part))
  const [a, b] = await Promise.all([get(nameA), get(nameB)])
  const [out, into] = [parts[nameB].shape[0], product(parts[nameA].shape.slice(1))]
  if (kind === 'embedding') return { B: byColumns(a, into, r), A: byRows(b, out, r) } // W is (words, width): turned
  if (kind === 'tucker') {
    const { shape: mid } = parts.mid
    return {
      B: byRows(b, out, mid[0]),
      A: byColumns(contracted(await get('mid'), mid, a, into), into * product(mid.slice(2)), mid[0]),
    }
  }
  const B = byRows(b, out, r)
  if (kind === 'adalora') {
    const E = await get('E')
    B.columns.forEach((column, j) => column.forEach((value, i) => (column[i] = value * E[j])))
  }
  return { B, A: byColumns(a, into, r) }
}
