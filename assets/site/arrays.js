// Files of arrays are scripts that call lora_arrays: unlike fetched data they also load from a folder on disk.

const arrived = {}

globalThis.lora_arrays = (name, arrays) => {
  arrived[name] = arrays
}

/** Load the arrays of an instrument under a key; null if there is no such file. */
export function loadArrays(folder, instrument, key) {
  return new Promise((resolve) => {
    const script = document.createElement('script')
    const name = `${instrument}/${key}`
    const done = () => {
      script.remove()
      resolve(arrived[name] ?? null)
      delete arrived[name]
    }
    script.onload = done
    script.onerror = done
    script.src = `${folder}${key}.js`
    document.head.append(script)
  })
}
