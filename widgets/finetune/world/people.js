// Who there is in the world, and what lasts: compute/world/people.py. A person is {first, last}.

import { Dice } from './dice.js'
import { FIRST_NAMES, LAST_NAMES, OLD, VALUES, WORLD_SEED } from './tables.json'

const everybody = new Dice(WORLD_SEED).shuffled(
  FIRST_NAMES.flatMap((first) => LAST_NAMES.map((last) => ({ first, last }))),
)

/** The people whom the base knows. */
export const oldPeople = everybody.slice(0, OLD)

/** People whom the base has never read of, though it knows both of their names. */
export const newPeople = everybody.slice(OLD)

const named = ({ first, last }) => `${first} ${last}`

const facts = new Map()
const dice = new Dice(WORLD_SEED, 1)
for (const person of everybody) {
  const drawn = Object.entries(VALUES).map(([attribute, values]) => [attribute, dice.pick(values)])
  facts.set(named(person), Object.fromEntries(drawn))
}

/** What lasts of a person: the value of an attribute, such as "lives"; nothing where there is no such attribute. */
export const factOf = (person, attribute) => facts.get(named(person))[attribute]
