/** Why a file is not opened: `reason` is a key of the words for it, with what fills their gaps. */
export class NotOpened extends Error {
  constructor(reason, values = {}) {
    super(reason)
    Object.assign(this, { reason, values })
  }
}

/** A name as it may stand in a sentence: of any length, with anything in it. */
export const told = (name) => {
  const plain = String(name).replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
  return plain.length > 80 ? `${plain.slice(0, 60)}…${plain.slice(-19)}` : plain
}
