/** "Why can't I?": what was asked, what decides it, what would allow it, and asking for that. */
import { askPart } from './ask.js';
import type { Client, Page } from './client.js';
import { Refused } from './client.js';
import type { Explained } from './decision.js';
import { decisionPart } from './decision.js';
import { h } from './dom.js';
import type { Refusal } from './heard.js';
import type { Standings } from './me.js';
import { ABILITIES } from './vocabulary.js';
import { WORDS } from './words.js';

interface Recorded {
  action?: string;
  resource?: string | null;
}

/** Why the server has refused what `refusal` is the answer to; its sentence may be unknown. */
export async function whyPart(
  client: Client,
  standings: Standings,
  refusal: Refusal
): Promise<HTMLElement> {
  const found = await explained(client, refusal);
  const type = found?.resource.split(':', 1)[0];
  const verb = ABILITIES.find(each => each.type === type && each.action === found?.action)?.verb;
  const body = h('div', {});
  if (refusal.message !== '') {
    body.append(h('p', {}, h('strong', {}, refusal.message)));
  }
  if (found) {
    body.append(
      h('p', {}, WORDS.whyAsked(verb ?? found.action, found.resource)),
      decisionPart(found)
    );
    if (type === 'contents') {
      const standing = await standings.of(found.resource);
      body.append(askPart(client, found.resource, standing?.level ?? null));
    }
  } else if (refusal.message === '') {
    body.append(h('p', {}, WORDS.noRefusal));
  }
  if (refusal.decision !== null) {
    body.append(h('p', { class: 'authz-quiet' }, WORDS.reference(refusal.decision)));
  }
  return body;
}

/** The decision as it would be now; null where the records do not have it. */
async function explained(client: Client, refusal: Refusal): Promise<Explained | null> {
  try {
    const asked = refusal.asked ?? (await recorded(client, refusal.decision));
    return asked && (await client.post<Explained>('explain', asked));
  } catch (error) {
    if (error instanceof Refused) {
      return null;
    }
    throw error;
  }
}

/** What the decision `id` was about; null where the records that one may see do not say. */
async function recorded(
  client: Client,
  id: string | null
): Promise<{ action: string; resource: string } | null> {
  if (id === null) {
    return null;
  }
  const page = await client.get<Page<Recorded>>('audit', { id, limit: 1 });
  const { action, resource } = page.items[0] ?? {};
  return action && resource ? { action, resource } : null;
}
