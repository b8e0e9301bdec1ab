// The files that a reader gives: weights, what says how they were trained, and what is no adapter, named for what it is.

import { ggufHeader } from './gguf.js'
import { NotOpened, told } from './refused.js'
import { header, parsed } from './safetensors.js'
import { unzipped } from './unzipped.js'

const MOST_INSIDE = 1e9 // bytes of one file of a zip
const MAX_JSON = 20e6
const MOST_FILES = 2000
const CONFIG = 'adapter_config.json'

// How files begin that are no safetensors: the reason that is told.
const BEGINNINGS = [
  ['pickle', /^\x80[\x02-\x05]/],
  ['pointer', /^version https:\/\/git-lfs/],
  ['pointer', /^\/annex\/objects\//],
  ['page', /^\s*<(!doctype|html|head|\?xml)/i],
  ['numpy', /^\x93NUMPY/],
  ['hdf', /^\x89HDF/],
]

const HOLDS = /\.(safetensors|gguf|bin|pt|pth|ckpt|npz|h5)$/i // what may hold weights

const nameOf = (path) => path.split(/[/\\]/).at(-1)
const isConfig = (path) => nameOf(path) === CONFIG
const isWeights = (path) => /\.safetensors$/i.test(path)

/** Files and, of archives, the files inside: [path, Blob]. */
async function spread(files) {
  const found = []
  for (const file of files.slice(0, MOST_FILES)) {
    const path = file.webkitRelativePath || file.name
    const start = await beginning(file)
    if (!start.startsWith('PK\x03\x04') && !/\.zip$/i.test(path)) {
      found.push([path, file])
      continue
    }
    const entries = await unzipped(
      file,
      (inside) => isWeights(inside) || isConfig(inside) || /\.pkl$/.test(inside),
      MOST_INSIDE,
    ).catch(() => {
      throw new NotOpened('archive', { name: told(path) })
    })
    if (entries.some(([inside]) => /\.pkl$/.test(inside))) throw new NotOpened('pickle', { name: told(path) })
    if (!entries.length) throw new NotOpened('nothing', { name: told(path) })
    found.push(...entries)
  }
  return found
}

/** The first bytes of a file as text, each a letter. */
const beginning = async (blob) =>
  String.fromCharCode(...new Uint8Array(await blob.slice(0, 64).arrayBuffer()))

/** The header of a file; throws with what it is, where it has none. */
async function headed(path, blob) {
  const start = await beginning(blob)
  if (start.slice(4, 9) === '\0\0\0\0{') return header(blob, path) // its length may look like the start of a pickle
  if (start.startsWith('GGUF')) return ggufHeader(blob, path)
  const [reason] = BEGINNINGS.find(([, pattern]) => pattern.test(start)) ?? []
  if (reason) throw new NotOpened(reason, { name: told(path) })
  if (!blob.size) throw new NotOpened('empty', { name: told(path) })
  return header(blob, path)
}

/**
 * What is in the files: {config, configs, metadata, weights: [{name, size, tensors}]}. `config` is that of PEFT or MLX.
 * An index of shards is not needed, since each shard says what it holds.
 */
export async function given(files) {
  const spreadOut = await spread([...files])
  const configs = []
  const weights = []
  for (const [path, blob] of spreadOut) {
    if (/\.json$/i.test(path)) {
      if (isConfig(path) || spreadOut.length < 3) {
        if (blob.size > MAX_JSON) throw new NotOpened('config', { name: told(path) })
        configs.push([path, parsed(new Uint8Array(await blob.arrayBuffer()), 'config', { name: told(path) })])
      }
      continue
    }
    if (spreadOut.length > 1 && !isWeights(path) && !HOLDS.test(path)) continue // README.md, tokenizer.model
    weights.push({ name: path, size: blob.size, ...(await headed(path, blob)) })
  }
  if (!weights.length) {
    if (configs.length) throw new NotOpened('alone', { name: told(configs[0][0]) })
    throw new NotOpened('nothing', { name: told(files[0]?.name ?? '') })
  }
  const [, config = null] = configs.find(([path]) => isConfig(path)) ?? configs[0] ?? []
  const metadata = Object.assign({}, ...weights.map((each) => each.metadata))
  return { config, metadata, weights }
}

/** What config.json beside the weights of a base says; undefined where it is not among the files. */
export async function modelConfig(files) {
  const file = [...files].find(({ name }) => name === 'config.json')
  if (!file) return undefined
  if (file.size > MAX_JSON) throw new NotOpened('config', { name: file.name })
  return parsed(new Uint8Array(await file.arrayBuffer()), 'config', { name: file.name })
}
