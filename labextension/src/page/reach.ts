/** Reach: what somebody's kernels and terminals touch that the policy denies, tried now; and
 * what cannot be enforced on this machine. */
import { fill, h, labelled } from '../dom.js';
import { Say } from '../say.js';
import { WhoField } from '../who.js';
import { WORDS } from '../words.js';
import type { Tab } from './desk.js';

interface Reach {
  principal: string;
  backend: string | null;
  /** Why nothing was tried. */
  why: string | null;
  leaves_open: readonly string[];
  bounds: number | null;
  looked_at: number;
  complete: boolean;
  reached: readonly { path: string; how: string; why: string }[];
  besides: readonly {
    process: string;
    network: string;
    mounts: readonly { path: string; how: string }[];
    devices: readonly string[];
    problem: string | null;
  }[];
  attempts: readonly { process: string; what: string; state: string; why: string | null }[];
}

export const REACH: Tab = {
  id: 'reach',
  title: WORDS.tabs.reach,
  shown: () => true,
  draw: desk => {
    const who = new WhoField(desk.client, ['people']);
    who.input.value = desk.me.principal.name;
    const say = new Say();
    const found = h('div', { 'aria-live': 'polite' });
    const button = h('button', { type: 'submit', class: 'authz-main' }, WORDS.reachTry);
    const act = async (): Promise<void> => {
      say.clear();
      button.disabled = true;
      fill(found, h('p', { role: 'status' }, WORDS.reachTrying));
      const done = await say.trying(async () => {
        const query = desk.me.abilities.administer ? { principal: who.principal } : {};
        fill(found, ...drawn(await desk.client.get<Reach>('reach', query)));
      });
      if (!done) {
        fill(found);
      }
      button.disabled = false;
    };
    return h(
      'div',
      {},
      h('p', {}, WORDS.reachHint),
      h(
        'form',
        {
          class: 'authz-row',
          onsubmit: event => {
            event.preventDefault();
            void act();
          }
        },
        // About others only who administers may ask.
        desk.me.abilities.administer ? labelled(WORDS.reachOf, who.input) : null,
        who.choices,
        h('div', { class: 'authz-field' }, button)
      ),
      say.node,
      found
    );
  }
};

function drawn(reach: Reach): HTMLElement[] {
  if (reach.why !== null) {
    return [h('p', { class: 'authz-say', 'data-kind': 'failed' }, reach.why)];
  }
  const open = [
    ...reach.leaves_open.map(each => WORDS.reachOpen(each)),
    ...(reach.bounds === null ? [WORDS.reachCounted] : [])
  ];
  return [
    h('h3', {}, reach.principal),
    reach.reached.length === 0
      ? h('p', {}, WORDS.reachNothing(reach.looked_at))
      : h(
          'div',
          {},
          h('p', { class: 'authz-say', 'data-kind': 'failed' }, WORDS.reachSome),
          table(
            WORDS.tabs.reach,
            [WORDS.reachPath, WORDS.reachHow, WORDS.reachWhy],
            reach.reached.map(each => [each.path, each.how, each.why])
          ),
          reach.complete ? null : h('p', {}, WORDS.reachMore)
        ),
    ...besides(reach),
    ...attempts(reach),
    h('h3', {}, WORDS.reachNotHere),
    h('p', {}, WORDS.reachConfined(reach.backend ?? '')),
    open.length === 0
      ? h('p', {}, WORDS.reachAll)
      : h('ul', {}, ...open.map(each => h('li', {}, each)))
  ];
}

function besides(reach: Reach): HTMLElement[] {
  const some = reach.besides.filter(
    each => each.network !== 'none' || each.mounts.length > 0 || each.devices.length > 0
  );
  return some.length === 0
    ? []
    : [
        h('h3', {}, WORDS.reachBesides),
        table(
          WORDS.reachBesides,
          [WORDS.reachProcess, WORDS.reachNetwork, WORDS.reachFolders, WORDS.reachDevices],
          some.map(each => [
            each.problem === null ? each.process : `${each.process}: ${each.problem}`,
            each.network,
            each.mounts.map(mount => `${mount.how} ${mount.path}`).join(', '),
            each.devices.join(', ')
          ])
        )
      ];
}

const STATES: Partial<Record<string, string>> = {
  closed: WORDS.reachStates.closed,
  open: WORDS.reachStates.open
};

function attempts(reach: Reach): HTMLElement[] {
  return reach.attempts.length === 0
    ? []
    : [
        h(
          'details',
          {},
          h('summary', {}, WORDS.reachAttempts),
          table(
            WORDS.reachAttempts,
            [WORDS.reachProcess, WORDS.reachAttempt, WORDS.state, WORDS.reachWhy],
            reach.attempts.map(each => [
              each.process,
              each.what,
              STATES[each.state] ?? WORDS.reachStates.cannotTell,
              each.why ?? ''
            ])
          )
        )
      ];
}

/** A table of texts, which may be broken anywhere. */
function table(
  caption: string,
  titles: readonly string[],
  rows: readonly (readonly string[])[]
): HTMLElement {
  return h(
    'table',
    {},
    h('caption', { class: 'authz-unseen' }, caption),
    h('thead', {}, h('tr', {}, ...titles.map(each => h('th', { scope: 'col' }, each)))),
    h(
      'tbody',
      {},
      ...rows.map(row =>
        h(
          'tr',
          {},
          ...row.map((each, n) =>
            h('td', { 'data-label': titles[n] ?? '', class: 'authz-long' }, each)
          )
        )
      )
    )
  );
}
