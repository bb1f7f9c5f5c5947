/** One search box for people, groups and everyone. */
import type { Client, Page } from './client.js';
import { fill, freshId, h } from './dom.js';
import { WORDS } from './words.js';

interface Named {
  name: string;
  principal: string;
  display_name?: string;
}

/** Whoever opens a link, who has no name yet; a person of that name is `user:link`. */
const LINK = 'link';

const TYPING = 200;
const SHOWN = 8;

/** A field that completes names, and what it stands for. */
export class WhoField {
  readonly input: HTMLInputElement;
  readonly choices = h('datalist', { id: freshId('who') });

  constructor(
    private readonly client: Client,
    private readonly kinds: readonly ('people' | 'groups' | 'everyone' | 'link')[]
  ) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    this.input = h('input', {
      type: 'text',
      list: this.choices.id,
      autocomplete: 'off',
      autocapitalize: 'none',
      spellcheck: 'false',
      maxlength: 200,
      oninput: () => {
        clearTimeout(timer);
        timer = setTimeout(() => void this.complete(), TYPING);
      }
    });
  }

  /** The principal that was typed or chosen: a bare name is a person's. */
  get principal(): string {
    return principalOf(this.input.value);
  }

  /** Whether a link is meant, and nobody in person. */
  get isLink(): boolean {
    return this.kinds.includes(LINK) && this.input.value.trim() === LINK;
  }

  private async complete(): Promise<void> {
    const q = this.input.value.trim().replace(/^(user|group):/, '');
    const found = await Promise.all(
      this.kinds.map(async kind =>
        kind === 'everyone' || kind === LINK
          ? [{ name: kind === LINK ? WORDS.byLink : kind, principal: kind }]
          : // Who may not look names up types them; the server says whether they are right.
            await this.client
              .get<Page<Named>>(kind, { q, limit: SHOWN })
              .then(page => page.items)
              .catch(() => [])
      )
    );
    fill(
      this.choices,
      ...found
        .flat()
        .map(each => h('option', { value: each.principal }, each.display_name ?? each.name))
    );
  }
}

/** The principal that `text` names. */
export function principalOf(text: string): string {
  const trimmed = text.trim();
  return trimmed === '' || trimmed === 'everyone' || /^(user|group|token):/.test(trimmed)
    ? trimmed
    : `user:${trimmed}`;
}
