// The world that the mini-model reads of, for a Worker: a bundle of its own, which needs nothing of the kit. Each module in
// world/ has the name and the functions of one in compute/world/, whose docstrings say what they do; the two give the
// same texts word for word, which tests/browser/test_world_in_js.py holds them to. The words and phrases stand in Python
// alone: ../tables.py writes world/tables.json.

export { answered, known, lastStory, right, samples, shares, shareTold, told } from './world/answers.js'
export { padded, some, textsOf, windows } from './world/batches.js'
export { Dice } from './world/dice.js'
export { factOf, newPeople, oldPeople } from './world/people.js'
export { Source } from './world/stories.js'
export { ANSWERING, SPLITS, TASKS, TELLING } from './world/tables.json'
export { asked, changedHands, examples, inOldWords, newFacts, sourceOf } from './world/tasks.js'
export { judged, ofFacts, questions, stateAfter, write } from './world/texts.js'
export { BEGIN, UnknownWord, VOCAB_SIZE, decode, encode, readable, wordsOf } from './world/tokens.js'
export { understood, voiceOf } from './world/voices.js'
