/** Ask for access: what lands with whoever may share the thing. */
import { levelSentence } from './about.js';
import type { Client } from './client.js';
import { fill, h, labelled } from './dom.js';
import { Say } from './say.js';
import { LEVELS } from './vocabulary.js';
import { WORDS } from './words.js';

/** A form that asks for more than `level` on `resource`; folded, so that it is in nobody's way. */
export function askPart(client: Client, resource: string, level: string | null): HTMLElement {
  const held = LEVELS.findIndex(each => each.level === level);
  // Nobody is made an administrator by one file.
  const more = LEVELS.slice(held + 1).filter(each => each.level !== 'admin');
  if (more.length === 0) {
    return h('div');
  }
  const say = new Say();
  const hint = h('span', { class: 'authz-quiet' });
  const wanted = h(
    'select',
    {
      onchange: () => {
        describe();
      }
    },
    ...more.map(each => h('option', { value: each.level }, each.level))
  );
  const describe = (): void => {
    fill(hint, levelSentence(wanted.value));
  };
  describe();
  const note = h('input', { type: 'text', maxlength: 500 });
  return h(
    'details',
    { class: 'authz-ask' },
    h('summary', {}, WORDS.askTitle),
    h(
      'form',
      {
        onsubmit: event => {
          event.preventDefault();
          void say.trying(async () => {
            await client.post('requests', { level: wanted.value, resource, note: note.value });
            say.done(WORDS.asked);
          });
        }
      },
      labelled(WORDS.level, wanted, hint),
      labelled(WORDS.askNote, note),
      h('button', { type: 'submit', class: 'authz-main' }, WORDS.ask)
    ),
    say.node
  );
}
