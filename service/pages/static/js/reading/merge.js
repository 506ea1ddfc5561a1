/**
 * Three-way merge of a report, by sentence: what it was, what stands on the server, what the reader wrote.
 *
 * Each side is [{name, sentences: [{id, text}]}]. What only one side changed is taken; where both changed the same
 * sentence in different ways the reader chooses, and until then both are kept.
 */

/**
 * Compare the three sides.
 *
 * @returns {Array<Object>} One item per sentence that differs: {section, id, base, theirs, mine, kind}; a text of
 *   null means that the side has no such sentence. `kind`: "theirs", "mine" or "both" (a conflict).
 */
export function differences(base, theirs, mine) {
  const items = [];
  for (const section of sectionNames(base, theirs, mine)) {
    const [was, stands, own] = [base, theirs, mine].map((side) => byId(side, section));
    for (const id of new Set([...was.keys(), ...stands.keys(), ...own.keys()])) {
      const [before, left, right] = [was, stands, own].map((side) => side.get(id) ?? null);
      if (left === before && right === before) continue;
      if (left === right) continue;
      const kind = left === before ? "mine" : right === before ? "theirs" : "both";
      items.push({ section, id, base: before, theirs: left, mine: right, kind });
    }
    for (const sentence of newOnes(mine, section)) {
      items.push({ section, id: null, base: null, theirs: null, mine: sentence.text, kind: "mine" });
    }
  }
  return items;
}

/**
 * Merge: theirs, with what the reader changed put in.
 *
 * @param {Function} choose (item of kind "both") -> "mine", "theirs" or "both" (one after the other).
 * @returns {Array<Object>} Sections to save upon the server's state.
 */
export function merge(base, theirs, mine, choose) {
  const items = new Map(differences(base, theirs, mine).filter((item) => item.id !== null)
    .map((item) => [`${item.section} ${item.id}`, item]));
  return sectionNames(base, theirs, mine).map((name) => {
    const sentences = [];
    for (const sentence of sectionOf(theirs, name)) {
      const item = items.get(`${name} ${sentence.id}`);
      sentences.push(...resolved(sentence, item, choose));
    }
    addMissing(sentences, base, theirs, mine, name, items, choose);
    return { name, sentences };
  });
}

/** Return what stands of a sentence that the server has. */
function resolved(sentence, item, choose) {
  if (!item || item.kind === "theirs") return [sentence];
  const choice = item.kind === "mine" ? "mine" : choose(item);
  const own = item.mine === null ? [] : [{ id: sentence.id, text: item.mine }];
  if (choice === "mine") return own;
  if (choice === "both" && own.length) return [sentence, { id: null, text: item.mine }];
  return [sentence];
}

/** Put in what the reader has and the server has not: new sentences, and those the server deleted meanwhile. */
function addMissing(sentences, base, theirs, mine, name, items, choose) {
  const standing = byId(theirs, name);
  let previous = null;
  for (const sentence of sectionOf(mine, name)) {
    if (sentence.id !== null && standing.has(sentence.id)) {
      previous = sentence.id;
      continue;
    }
    if (sentence.id !== null && byId(base, name).get(sentence.id) === sentence.text) continue;
    const item = sentence.id === null ? null : items.get(`${name} ${sentence.id}`);
    if (item && item.kind === "both" && choose(item) === "theirs") continue;
    const added = { id: null, text: sentence.text };
    const at = previous === null ? -1 : sentences.findLastIndex((other) => other === previous || other.id === previous);
    const index = previous === null ? 0 : at < 0 ? sentences.length : at + 1;
    sentences.splice(index, 0, added);
    previous = added;
  }
}

function sectionNames(...sides) {
  return [...new Set(sides.flatMap((side) => side.map((section) => section.name)))];
}

function sectionOf(side, name) {
  return side.find((section) => section.name === name)?.sentences ?? [];
}

function byId(side, name) {
  return new Map(sectionOf(side, name).filter((sentence) => sentence.id !== null).map((item) => [item.id, item.text]));
}

function newOnes(side, name) {
  return sectionOf(side, name).filter((sentence) => sentence.id === null && sentence.text.trim() !== "");
}
