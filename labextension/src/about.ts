/** Who I am, what I may do here and why not the rest: for the status bar's dialog and the page. */
import type { Client } from './client.js';
import { h } from './dom.js';
import type { Me, Standing } from './me.js';
import { isGuest } from './me.js';
import { ABILITIES, LEVELS } from './vocabulary.js';
import { WORDS } from './words.js';

/** The sentence of a level; nothing for a level that this page does not know. */
export function levelSentence(level: string | null): string {
  return LEVELS.find(each => each.level === level)?.sentence ?? '';
}

/** Who `me` is, with the groups. */
export function whoPart(me: Me): HTMLElement {
  const { name, display_name, groups, token } = me.principal;
  return h(
    'dl',
    { class: 'authz-facts' },
    h('dt', {}, WORDS.you),
    h(
      'dd',
      {},
      h('strong', {}, display_name),
      ` (${name})`,
      token === null ? null : ` ${WORDS.viaToken(token)}`
    ),
    ...(isGuest(me)
      ? []
      : [
          h('dt', {}, WORDS.groups),
          h('dd', {}, groups.length === 0 ? WORDS.noGroups : groups.join(', '))
        ]),
    ...kernelsPart(me.sandbox)
  );
}

/** Where a guest signs in, to come back to this page. */
export function signInAddress(client: Client): string {
  return `${client.base}login?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** To the password and the way out; a guest, who has neither a password nor more pages, signs in. */
export function accountLinks(client: Client, me: Me, ...before: HTMLElement[]): HTMLElement {
  return h(
    'p',
    { class: 'authz-links' },
    ...(isGuest(me)
      ? [h('a', { href: signInAddress(client) }, WORDS.signIn)]
      : [
          ...before,
          h(
            'a',
            { href: `${client.base}authz/password`, target: '_blank', rel: 'noopener' },
            WORDS.account
          )
        ]),
    h('a', { href: `${client.base}logout` }, WORDS.logOut)
  );
}

/** That nothing confines one's kernels, where one has some and nothing does. */
function kernelsPart(sandbox: Me['sandbox']): HTMLElement[] {
  if (sandbox === undefined || sandbox.confined || !sandbox.runs) {
    return [];
  }
  const how = sandbox.backend === 'gateway' ? WORDS.behindGateway : WORDS.unconfined;
  return [h('dt', {}, WORDS.yourKernels), h('dd', {}, how)];
}

/** What one may do with a resource: its level, and each refused act with the reason. */
export function standingPart(title: string, resource: string, standing: Standing): HTMLElement {
  const type = resource.split(':', 1)[0] ?? '';
  const rows = ABILITIES.filter(each => each.type === type && each.action in standing.actions);
  const refused = rows.filter(each => standing.actions[each.action]?.allowed === false);
  const allowed = rows.filter(each => standing.actions[each.action]?.allowed === true);
  const level = standing.level;
  return h(
    'section',
    {},
    h('h3', {}, title),
    h(
      'p',
      {},
      level === null
        ? // What a rule or a link shows is said below.
          type === 'server' || allowed.length === 0
          ? WORDS.noLevel
          : ''
        : h('span', {}, h('strong', {}, level), ` – ${levelSentence(level)}`)
    ),
    standing.owner === null ? null : h('p', {}, WORDS.ownedBy(standing.owner)),
    // Of the server the level's sentence says it better.
    allowed.length === 0 || type === 'server'
      ? null
      : h('p', {}, `${WORDS.youCan} ${allowed.map(each => each.verb).join(', ')}.`),
    refused.length === 0
      ? h('p', {}, WORDS.everything)
      : h(
          'details',
          { open: refused.length < 6 },
          h('summary', {}, WORDS.youCannot(refused.length)),
          h(
            'ul',
            { class: 'authz-reasons' },
            ...refused.map(each =>
              h(
                'li',
                { 'data-action': each.action },
                h('span', { class: 'authz-word' }, each.verb),
                h('span', { class: 'authz-reason' }, standing.actions[each.action]?.reason ?? '')
              )
            )
          )
        )
  );
}
