/** "Why can't I?": what was asked, what decides it, what would allow it, and asking for that. */
import { askPart } from '../ask.js';
import type { Client, Page } from '../client.js';
import { Refused } from '../client.js';
import type { Explained } from '../decision.js';
import { decisionPart } from '../decision.js';
import { h } from '../dom.js';
import type { Standings } from '../me.js';
import { ABILITIES } from '../vocabulary.js';
import { WORDS } from '../words.js';
import { dialog } from './about.js';
import type { Refusal } from './refusals.js';

interface Recorded {
  action?: string;
  resource?: string | null;
}

/** Tell why the server has refused what `refusal` is the answer to. */
export async function showWhy(
  client: Client,
  standings: Standings,
  refusal: Refusal
): Promise<void> {
  const found = await explained(client, refusal);
  const type = found?.resource.split(':', 1)[0];
  const verb = ABILITIES.find(each => each.type === type && each.action === found?.action)?.verb;
  const body = h('div', {}, h('p', {}, h('strong', {}, refusal.message)));
  if (found) {
    body.append(
      h('p', {}, WORDS.whyAsked(verb ?? found.action, found.resource)),
      decisionPart(found)
    );
    if (type === 'contents') {
      const standing = await standings.of(found.resource);
      body.append(askPart(client, found.resource, standing?.level ?? null));
    }
  }
  body.append(h('p', { class: 'authz-quiet' }, WORDS.reference(refusal.decision)));
  await dialog(WORDS.whyTitle, body);
}

/** The decision as it would be now; null where the records do not have it. */
async function explained(client: Client, refusal: Refusal): Promise<Explained | null> {
  try {
    const page = await client.get<Page<Recorded>>('audit', { id: refusal.decision, limit: 1 });
    const asked = page.items[0];
    if (!asked?.action || !asked.resource) {
      return null;
    }
    const { action, resource } = asked;
    return await client.post<Explained>('explain', { action, resource });
  } catch (error) {
    if (error instanceof Refused) {
      return null;
    }
    throw error;
  }
}
