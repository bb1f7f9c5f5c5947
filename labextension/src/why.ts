/** "Why can't I?": what was asked, what decides it, what would allow it, and asking for that. */
import { signInAddress } from './about.js';
import { askPart } from './ask.js';
import type { Client, Page } from './client.js';
import { Refused } from './client.js';
import type { Explained } from './decision.js';
import { decisionPart } from './decision.js';
import { h } from './dom.js';
import type { Refusal } from './heard.js';
import type { Standings } from './me.js';
import { isGuest } from './me.js';
import { ABILITIES } from './vocabulary.js';
import { thing, WORDS } from './words.js';

/** What somebody tried. */
interface Asked {
  principal?: string;
  action: string;
  resource: string;
}

/** Why the server has refused what `refusal` is the answer to; its sentence may be unknown. */
export async function whyPart(
  client: Client,
  standings: Standings,
  refusal: Refusal
): Promise<HTMLElement> {
  const body = h('div', {});
  if (refusal.message !== '') {
    body.append(h('p', {}, h('strong', {}, refusal.message)));
  }
  const me = await standings.whoAmI();
  if (isGuest(me)) {
    // Of whom no records are shown, and who has nobody to ask.
    body.append(h('p', {}, h('a', { href: signInAddress(client) }, WORDS.signIn)));
    return body;
  }
  const own = me?.principal.name ?? '';
  const asked: Asked | null = refusal.asked ?? (await recorded(client, refusal.decision));
  if (asked) {
    const { principal: who = own, action, resource } = asked;
    const type = resource.split(':', 1)[0];
    const ability = ABILITIES.find(each => each.type === type && each.action === action);
    const [verb, what] = [ability?.verb ?? action, thing(resource)];
    body.append(
      h('p', {}, who === own ? WORDS.whyAsked(verb, what) : WORDS.whyAskedOf(who, verb, what))
    );
    const found = await explained(client, asked);
    if (found) {
      body.append(decisionPart(found, own, refusal.message));
    }
    if (type === 'contents' && who === own) {
      const standing = await standings.of(resource);
      body.append(askPart(client, resource, standing?.level ?? null));
    }
  } else if (refusal.message === '') {
    body.append(h('p', {}, WORDS.noRefusal));
  }
  if (refusal.decision !== null) {
    body.append(h('p', { class: 'authz-quiet' }, WORDS.reference(refusal.decision)));
  }
  return body;
}

/** The decision as it would be now; null where the server does not say. */
async function explained(client: Client, asked: Asked): Promise<Explained | null> {
  return unlessRefused(client.post<Explained>('explain', asked));
}

/** What the decision `id` was about; null where the records that one may see do not say. */
async function recorded(client: Client, id: string | null): Promise<Asked | null> {
  if (id === null) {
    return null;
  }
  const page = await unlessRefused(client.get<Page<Partial<Asked>>>('audit', { id, limit: 1 }));
  const { principal, action, resource } = page?.items[0] ?? {};
  return action && resource ? { ...(principal ? { principal } : {}), action, resource } : null;
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused) {
      return null;
    }
    throw error;
  }
}
