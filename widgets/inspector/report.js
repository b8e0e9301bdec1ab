// What was found as one HTML file that can be sent: no script, nothing from the network. compute/adapters/formats/page.py
// writes the same of a file on disk, and lends its style.

const [BARS, WIDTH, HEIGHT] = [32, 96, 20] // of a spectrum: the most that are drawn, and its sides in pixels

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
const row = (tag, cells) => `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`

/** Singular values as bars, relative to the first. */
function bars(s, told) {
  if (!s?.[0]) return ''
  const shown = Array.from(s.slice(0, BARS), (value) => value / s[0])
  const step = WIDTH / shown.length
  const bar = (share, i) =>
    `<rect x="${(i * step).toFixed(1)}" y="${(HEIGHT * (1 - share)).toFixed(1)}" ` +
    `width="${(step * 0.8).toFixed(1)}" height="${(HEIGHT * share).toFixed(1)}"/>`
  const label = escaped(told(s))
  return `<svg width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${label}">${shown.map(bar).join('')}</svg>`
}

/** A table of texts; where there are spectra they stand in a column of their own. */
function table({ title, head, rows, spectra }, words) {
  const cells = rows.map((each, i) => [
    ...each.map(escaped),
    ...(spectra ? [bars(spectra[i], words.bars)] : []),
  ])
  const top = [...head, ...(spectra ? [words.spectrum] : [])].map(escaped)
  const body = cells.map((each) => row('td', each)).join('\n')
  return `<div><table><caption>${escaped(title)}</caption>\n${row('th', top)}\n${body}\n</table></div>`
}

/** The page: {title, sentence, notes: texts, tables: [{title, head, rows, spectra, told: texts}]}; `words` are {style, spectrum, bars}. */
export function reported({ title, sentence, notes, tables }, words) {
  const parts = [
    `<h1>${escaped(title)}</h1>`,
    `<p>${escaped(sentence)}</p>`,
    notes.length ? `<ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>` : '',
    ...tables.flatMap((each) => [
      table(each, words),
      ...(each.told ?? []).map((text) => `<p>${escaped(text)}</p>`),
    ]),
  ]
  return (
    `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>${escaped(title)}</title>\n` +
    `<meta name="viewport" content="width=device-width">\n<style>${words.style}</style>\n</head>\n<body>\n` +
    `${parts.filter(Boolean).join('\n')}\n</body>\n</html>\n`
  )
}
