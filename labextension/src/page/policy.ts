/** Policy: which files and rules are in force, and why newer ones are not. */
import { fill, h } from '../dom.js';
import { shown } from '../moments.js';
import { Say } from '../say.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';

interface Policy {
  revision: number;
  since: string;
  mode: string;
  files: readonly string[];
  /** Those of them that are not in force as they are now; an older server does not say. */
  newer?: readonly string[];
  rules: readonly { id: string; effect: string; source: string; text: string }[];
  problems: readonly string[];
}

export const POLICY: Tab = {
  id: 'policy',
  title: WORDS.tabs.policy,
  shown: desk => desk.me.abilities.administer,
  draw: desk => {
    const say = new Say();
    const found = h('div');
    void say.trying(async () => {
      fill(found, ...drawn(await desk.client.get<Policy>('policy')));
    });
    return h('div', {}, say.node, found);
  }
};

function drawn(policy: Policy): HTMLElement[] {
  return [
    h('p', {}, WORDS.inForce(policy.revision, shown(policy.since))),
    policy.mode === 'shadow' ? h('p', { class: 'authz-shadow' }, WORDS.shadow) : h('div'),
    policy.problems.length === 0
      ? h('div')
      : h(
          'div',
          { role: 'alert', class: 'authz-say', 'data-kind': 'failed' },
          h('p', {}, WORDS.problems),
          h('ul', {}, ...policy.problems.map(each => h('li', {}, each)))
        ),
    h('h3', {}, WORDS.files),
    policy.files.length === 0
      ? h('p', {}, WORDS.noFiles)
      : h('ul', {}, ...policy.files.map(each => fileOf(policy, each))),
    h('h3', {}, WORDS.rules),
    ...policy.rules.map(each =>
      h(
        'details',
        { 'data-rule': each.id },
        h('summary', {}, `${each.effect} ${each.id} `, h('small', {}, each.source)),
        h('pre', { tabindex: '0' }, each.text)
      )
    )
  ];
}

function fileOf(policy: Policy, file: string): HTMLElement {
  const newer = policy.newer?.includes(file) === true;
  return h('li', {}, file, newer ? h('strong', {}, ` – ${WORDS.newer}`) : null);
}
