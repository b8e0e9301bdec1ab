// The languages of a page: <link rel="alternate"> says where it stands in each.

/** Where the page stands in the language that its address asks for, `?lang=es`; null if it is here, or nowhere. */
export function inLanguage({ href }) {
  const here = new URL(href)
  const asked = here.searchParams.get('lang')
  if (!asked || asked === document.documentElement.lang) return null
  const other = [...document.querySelectorAll('link[rel="alternate"]')].find(
    (each) => each.hreflang === asked,
  )
  if (!other) return null
  const there = new URL(other.getAttribute('href'), here)
  here.searchParams.delete('lang')
  return Object.assign(there, { search: here.search, hash: here.hash })
}

/** A link to another language takes the state of the page along. */
export function languages() {
  for (const link of document.querySelectorAll('.to-language')) {
    const at = link.getAttribute('href')
    link.addEventListener('click', () => {
      const { search, hash } = location
      link.href = Object.assign(new URL(at, location.href), { search, hash })
    })
  }
}
