// Build assets/bundles: the kit (all of widgets/kit/), one file for each instrument (widgets/<name>/<name>.js) and live
// part (widgets/live/<name>.js), one for all pages (assets/site/page.js), one for a figure that is a file of its own, one
// for a page that is presented, one for one in a room for a class, one for that which searches and one for those in a
// package for learning platforms, and one for a Worker (widgets/finetune/worker.js), which takes nothing from the kit. The
// player in which the tests open such packages is copied to tests/helpers/, with its licence.
//
// Each is a classic script, so that it also loads from a folder. The kit defines lora_kit, which holds what widgets/kit/
// exports; the others take their parts from there, so it goes before them. A bundle of an instrument defines lora_<name>,
// whose `default` is { render }; with the kit before it and the line `export default lora_<name>.default` after it, it
// is an ES module in anywidget's form. The first two lines name the sources and their hash, so that tests/test_assets.py
// can tell without Node whether a bundle is what the sources say. Run by `make assets`.

import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const assets = dirname(fileURLToPath(import.meta.url))
const root = dirname(assets)
const out = join(assets, 'bundles')
const kit = 'widgets/kit'
const always = ['assets/bundle.mjs', 'assets/package-lock.json'] // what decides besides the sources

const options = {
  absWorkingDir: root,
  nodePaths: [join(assets, 'node_modules')],
  alias: { 'd3-interpolate': join(assets, 'interpolate.js') },
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

/** The file in which a package has its licence. */
const licence = (name) =>
  readdirSync(join(assets, 'node_modules', name)).find((file) => /^licen[cs]e/i.test(file))

/** Names that each file of the kit exports, by its path. */
async function exported() {
  const files = readdirSync(join(root, kit)).filter((file) => file.endsWith('.js'))
  const entryPoints = files.sort().map((file) => `${kit}/${file}`)
  const { metafile } = await build({ ...options, entryPoints, format: 'esm', outdir: 'nowhere' })
  return new Map(Object.values(metafile.outputs).map((file) => [file.entryPoint, file.exports]))
}

/** Makes lora_kit of all that the files of the kit export. */
function whole(names) {
  const all = [...names.values()].flat()
  const twice = all.filter((name, i) => all.indexOf(name) < i)
  if (twice.length) throw new Error(`${kit} has two parts of one name: ${twice}`)
  const contents = [...names.keys()].map((path) => `export * from './${path}'`).join('\n')
  return { stdin: { contents, resolveDir: root } }
}

/** Takes what is imported from the kit out of lora_kit. */
const taken = (names) => ({
  name: 'kit',
  setup({ onLoad }) {
    const part = (name) => `export const ${name} = /* @__PURE__ */ (() => lora_kit.${name})()` // pure: left out if unused
    onLoad({ filter: new RegExp(`/${kit}/`) }, ({ path }) => ({
      contents: names.get(relative(root, path)).map(part).join('\n'),
    }))
  },
})

/** A module as a classic script that defines lora_<name> with what the module exports. */
function classic(name, module) {
  const [, code, exports = ''] = /^(.*?)(?:export\{([^{}]*)\};)?\s*$/s.exec(module)
  return `var lora_${name}=(()=>{${code}return{${exports.replace(/([\w$]+) as ([\w$]+)/g, '$2:$1')}}})();`
}

/** Write one bundle, of which `what` says the entry; return the names of the npm packages in it. */
async function bundle(name, what) {
  const result = await build({ ...options, ...what, format: 'esm' })
  const inputs = Object.keys(result.metafile.inputs).filter((path) => !/node_modules\/|^<stdin>/.test(path))
  const ours = what.plugins ? inputs.filter((path) => !path.startsWith(`${kit}/`)) : inputs
  const sources = [...ours, ...always].sort()
  const used = packages(result.metafile)
  const lines = [`/* ${name}: sources sha256 ${hash(sources)} */`, `/* sources: ${sources.join(' ')} */`]
  if (used.length > 0) {
    const listed = used
      .map((each) => `${each} ${manifest(each).version} (${manifest(each).license})`)
      .join(', ')
    lines.push(`/* contains ${listed}: see LICENSES.txt */`)
  }
  const text = `${lines.join('\n')}\n${classic(name, result.outputFiles[0].text)}\n`
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
    if (!['ISC', 'MIT'].includes(license))
      throw new Error(`${name} is under ${license}: say so in the bundles before shipping it`)
    parts.push(
      `${name} ${version}\n\n${readFileSync(join(assets, 'node_modules', name, licence(name)), 'utf8').trim()}\n`,
    )
  }
  writeFileSync(join(out, 'LICENSES.txt'), parts.join('\n'))
}

// An instrument's script has the name of its room; in widgets/live each script is one.
const entries = new Map([
  ['alone', 'assets/site/alone.js'],
  ['course', 'assets/site/course.js'],
  ['page', 'assets/site/page.js'],
  ['present', 'assets/site/present.js'],
  ['room', 'assets/site/room.js'],
  ['search', 'assets/site/search.js'],
  ['worker', 'widgets/finetune/worker.js'],
])
for (const room of readdirSync(join(root, 'widgets')).sort()) {
  if (room === 'kit' || !statSync(join(root, 'widgets', room)).isDirectory()) continue
  for (const file of readdirSync(join(root, 'widgets', room)).sort()) {
    const name = file.slice(0, -3)
    if (!file.endsWith('.js') || !['live', name].includes(room)) continue
    if (entries.has(name) || !/^[a-z][a-z0-9_]*$/.test(name))
      throw new Error(`${room}/${file}: a name of small letters, digits and _ that no other bundle has`)
    entries.set(name, `widgets/${room}/${file}`)
  }
}
mkdirSync(out, { recursive: true })
for (const file of readdirSync(out)) {
  const name = file.slice(0, -3)
  if (file.endsWith('.js') && name !== 'kit' && !entries.has(name)) rmSync(join(out, file))
}
const names = await exported()
const used = new Set(await bundle('kit', whole(names)))
for (const [name, entry] of entries) {
  for (const each of await bundle(name, { entryPoints: [entry], plugins: [taken(names)] })) used.add(each)
}
licences([...used].sort())
const player = join(assets, 'node_modules', 'scorm-again')
const text = [join(player, 'LICENSE'), join(player, 'dist', 'esm', 'scorm12.min.js')].map((path) =>
  readFileSync(path, 'utf8').trim(),
)
const { version } = manifest('scorm-again')
writeFileSync(
  join(root, 'tests', 'helpers', 'scorm12.min.js'),
  `/* scorm-again ${version}\n\n${text[0]} */\n${text[1].replace(/\n\/\/# sourceMappingURL=.*/, '')}\n`,
)
