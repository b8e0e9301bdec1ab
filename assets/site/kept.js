// What a page keeps in its reader's browser, and nowhere else: one JSON text under each name.

/** What is kept under a name; an empty object where there is nothing, or no JSON, or no storage. */
export function kept(name) {
  try {
    const value = JSON.parse(localStorage.getItem(name))
    return value && typeof value === 'object' ? value : {}
  } catch {
    return {} // a sandboxed frame has no storage
  }
}

/** Keep it; say whether the browser does. */
export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value))
    return true
  } catch {
    return false
  }
}
