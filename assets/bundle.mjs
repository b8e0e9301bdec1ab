// Build assets/bundles: one file for each instrument (widgets/<name>/<name>.js) and live part (widgets/live/<name>.js),
// and one for the page (assets/site/page.js).
//
// A bundle of an instrument is a classic script that defines lora_<name>, whose `default` is { render };
// with the line `export default lora_<name>.default` after it, it is an ES module in anywidget's form.
// Its first two lines name the sources and their hash, so that tests/test_assets.py can tell without Node
// whether the bundle is what the sources say. Run by `make assets`.

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const assets = dirname(fileURLToPath(import.meta.url))
const root = dirname(assets)
const out = join(assets, 'bundles')
const always = ['assets/bundle.mjs', 'assets/package-lock.json'] // what decides besides the sources

const options = {
  absWorkingDir: root,
  nodePaths: [join(assets, 'node_modules')],
  bundle: true,
  write: false,
  metafile: true,
  minify: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
}

/** Hash of the files in the given order: path, NUL, content, NUL for each. */
function hash(paths) {
  const sum = createHash('sha256')
  for (const path of paths) {
    sum
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)))
      .update('\0')
  }
  return sum.digest('hex')
}

/** The npm packages of which something is left in the bundle, by name. */
function packages(meta) {
  const output = Object.values(meta.outputs)[0]
  const found = new Set()
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const inside = path.split('node_modules/').pop()
    if (inside === path || bytesInOutput === 0) continue
    found.add(inside.startsWith('@') ? inside.split('/').slice(0, 2).join('/') : inside.split('/')[0])
  }
  return [...found].sort()
}

const manifest = (name) => JSON.parse(readFileSync(join(assets, 'node_modules', name, 'package.json')))

/** Write one bundle; return the names of the npm packages in it. */
async function bundle(name, entry, isInstrument) {
  if (isInstrument) {
    const asModule = await build({ ...options, entryPoints: [entry], format: 'esm' })
    const [{ exports }] = Object.values(asModule.metafile.outputs)
    if (!exports.includes('default')) throw new Error(`${entry} has no default export { render }`)
  }
  const globalName = isInstrument ? `lora_${name}` : undefined
  const result = await build({ ...options, entryPoints: [entry], format: 'iife', globalName })
  const ours = Object.keys(result.metafile.inputs).filter((path) => !path.includes('node_modules/'))
  const sources = [...ours, ...always].sort()
  const used = packages(result.metafile)
  const lines = [`/* ${name}: sources sha256 ${hash(sources)} */`, `/* sources: ${sources.join(' ')} */`]
  if (used.length > 0) {
    const listed = used.map((each) => `${each} ${manifest(each).version}`).join(', ')
    lines.push(`/* contains ${listed}: ISC licence, Mike Bostock and others, see LICENSE-d3.txt */`)
  }
  const text = `${lines.join('\n')}\n${result.outputFiles[0].text.trimEnd()}\n`
  writeFileSync(join(out, `${name}.js`), text)
  console.log(`assets/bundles/${name}.js  ${(Buffer.byteLength(text) / 1000).toFixed(1)} kB`)
  return used
}

/** Write the licences of the packages that the bundles contain. */
function licences(names) {
  const parts = [
    'The files in this folder contain parts of these packages, each under the licence that follows it.\n',
  ]
  for (const name of names) {
    const { version, license } = manifest(name)
    if (license !== 'ISC')
      throw new Error(`${name} is under ${license}: say so in the bundles before shipping it`)
    parts.push(
      `${name} ${version}\n\n${readFileSync(join(assets, 'node_modules', name, 'LICENSE'), 'utf8').trim()}\n`,
    )
  }
  writeFileSync(join(out, 'LICENSE-d3.txt'), parts.join('\n'))
}

// An instrument's script has the name of its room; in widgets/live each script is one.
const entries = new Map()
for (const room of readdirSync(join(root, 'widgets')).sort()) {
  if (room === 'kit' || !statSync(join(root, 'widgets', room)).isDirectory()) continue
  for (const file of readdirSync(join(root, 'widgets', room)).sort()) {
    const name = file.slice(0, -3)
    if (file.endsWith('.js') && (room === 'live' || room === name))
      entries.set(name, `widgets/${room}/${file}`)
  }
}
if (entries.has('page'))
  throw new Error("an instrument named page would take the place of the page's own bundle")
mkdirSync(out, { recursive: true })
for (const file of readdirSync(out)) {
  const name = file.slice(0, -3)
  if (file.endsWith('.js') && name !== 'page' && !entries.has(name)) rmSync(join(out, file))
}
const used = new Set()
for (const [name, entry] of entries) {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`${entry}: a name of small letters, digits and _`)
  for (const each of await bundle(name, entry, true)) used.add(each)
}
for (const each of await bundle('page', 'assets/site/page.js', false)) used.add(each)
licences([...used].sort())
