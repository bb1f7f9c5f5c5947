/** What somebody can do, and long names, in words; the texts are those of the catalogue. */
import { WORDS } from './catalogue.js';

export { WORDS };

export type Can = {
  view: boolean;
  edit: boolean;
  run: boolean;
  runSaved: boolean;
  /** Of what has no cells, so that running it is nothing to speak of. */
  isText?: boolean;
};

/** What somebody may do with a text, of all that they may do in its place. */
export function ofText(can: Can): Can {
  return { ...can, run: false, runSaved: false, isText: true };
}

/** Of a sentence JupyterLab's notices show 140 characters; the rest of it is what matters. */
const MOST_NAME = 40;

/** A name that leaves room for the sentence around it: beginning and end of a long one. */
export function brief(name: string): string {
  if (name.length <= MOST_NAME) {
    return name;
  }
  const signs = Array.from(new Intl.Segmenter().segment(name), each => each.segment);
  const first = asFit(signs);
  return `${first.join('')}…${asFit(signs.slice(first.length).reverse()).reverse().join('')}`;
}

/** The first of `signs` that together take no more than their half of a name's room. */
function asFit(signs: readonly string[]): string[] {
  let room = (MOST_NAME - 1) / 2;
  const end = signs.findIndex(each => (room -= each.length) < 0);
  return signs.slice(0, end === -1 ? signs.length : end);
}

/** What somebody calls `resource`: a file by its path, what is always there by a word. */
export function thing(resource: string): string {
  const [type = '', ...rest] = resource.split(':');
  const id = rest.join(':').replace(/^\//, '');
  const known: Readonly<Record<string, string>> = WORDS.things;
  return type === 'contents' && id !== '' ? id : (known[type] ?? resource);
}

/** What the server says, as a sentence: in front a capital, behind a full stop. */
export function whole(text: string): string {
  const end = /[.!?…]$/.test(text) ? '' : '.';
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

/** "can edit, can't run": what somebody may do with a document, in three words. */
export function canSentence(can: Can): string {
  if (!can.view) {
    return WORDS.nothing;
  }
  const edit = can.edit ? WORDS.can.edit : can.run || can.runSaved ? '' : WORDS.can.view;
  const run = can.run
    ? WORDS.can.run
    : can.runSaved
      ? WORDS.can.runSaved
      : can.edit && can.isText !== true
        ? WORDS.cannot.run
        : '';
  const not = !can.edit && (can.run || can.runSaved) ? WORDS.cannot.edit : '';
  return [edit, run, not].filter(Boolean).join(', ');
}

/** The word of the badge for what somebody may do. */
export function badgeWord(can: Can): string {
  if (!can.view) {
    return WORDS.badge.none;
  }
  if (can.edit) {
    return can.run || can.isText === true ? WORDS.badge.editing : WORDS.badge.editNoRun;
  }
  return can.run
    ? WORDS.badge.runningCode
    : can.runSaved
      ? WORDS.badge.running
      : WORDS.badge.viewing;
}
