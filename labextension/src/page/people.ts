/** People and groups: for administrators, who keep them. */
import { h, labelled } from '../dom.js';
import { List } from '../list.js';
import { viewAs } from '../view.js';
import { WhoField } from '../who.js';
import { WORDS } from '../words.js';
import type { Desk, Tab } from './desk.js';

interface Person {
  name: string;
  principal: string;
  display_name: string;
  disabled?: boolean;
  service?: boolean;
  has_password?: boolean;
  groups?: readonly string[];
}

interface Group {
  name: string;
  principal: string;
  members?: readonly string[];
}

export const PEOPLE: Tab = {
  id: 'people',
  title: WORDS.tabs.people,
  shown: desk => desk.me.abilities.administer,
  draw: desk => h('div', {}, ...people(desk), ...groups(desk))
};

function state(person: Person): HTMLElement | string {
  if (person.disabled) {
    return WORDS.disabled;
  }
  if (person.service) {
    return WORDS.service;
  }
  return person.has_password === false
    ? h('span', {}, WORDS.active, h('small', {}, WORDS.noPassword))
    : WORDS.active;
}

function people(desk: Desk): HTMLElement[] {
  const list: List<Person> = new List<Person>(desk.client, {
    caption: WORDS.peopleTitle,
    path: 'people',
    empty: WORDS.noOne,
    filters: [{ name: 'q', label: WORDS.search }],
    columns: [
      { title: WORDS.name, cell: each => each.name },
      { title: WORDS.shownAs, cell: each => each.display_name },
      { title: WORDS.groupsTitle, cell: each => (each.groups ?? []).join(', ') },
      { title: WORDS.state, cell: state },
      {
        title: WORDS.act,
        cell: each =>
          h(
            'span',
            { class: 'authz-row' },
            button(each.disabled ? WORDS.letIn : WORDS.shutOut, each.name, async () => {
              await list.say.trying(async () => {
                await desk.client.patch(at('people', each.name), { disabled: !each.disabled });
                await list.reload();
              });
            }),
            each.principal === desk.me.principal.name
              ? null
              : button(WORDS.viewAs, each.name, async () => {
                  await list.say.trying(() => viewAs(desk.client, each.principal, desk.sure));
                }),
            button(WORDS.remove, each.name, () =>
              remove(desk, list, at('people', each.name), each.principal)
            )
          )
      }
    ]
  });
  void list.reload();
  const name = h('input', { type: 'text', required: true, maxlength: 128, autocomplete: 'off' });
  return [
    h('h3', {}, WORDS.peopleTitle),
    list.node,
    adding(
      WORDS.addPerson,
      name,
      async () => {
        const added = name.value.trim();
        await desk.client.post('people', { name: added });
        await list.reload();
        list.say.done(WORDS.personAdded(added));
      },
      list
    )
  ];
}

function groups(desk: Desk): HTMLElement[] {
  const list: List<Group> = new List<Group>(desk.client, {
    caption: WORDS.groupsTitle,
    path: 'groups',
    empty: WORDS.noOne,
    filters: [{ name: 'q', label: WORDS.search }],
    columns: [
      { title: WORDS.name, cell: each => each.name },
      { title: WORDS.members, cell: each => members(desk, list, each) },
      {
        title: WORDS.act,
        cell: each =>
          button(WORDS.remove, each.name, () =>
            remove(desk, list, at('groups', each.name), each.principal)
          )
      }
    ]
  });
  void list.reload();
  const name = h('input', { type: 'text', required: true, maxlength: 128, autocomplete: 'off' });
  return [
    h('h3', {}, WORDS.groupsTitle),
    list.node,
    adding(
      WORDS.addGroup,
      name,
      async () => {
        await desk.client.post('groups', { name: name.value.trim() });
        await list.reload();
      },
      list
    )
  ];
}

function members(desk: Desk, list: List<Group>, group: Group): HTMLElement {
  const change = async (body: { add?: string[]; remove?: string[] }): Promise<void> => {
    await list.say.trying(async () => {
      await desk.client.patch(at('groups', group.name), body);
      await list.reload();
    });
  };
  const who = new WhoField(desk.client, ['people', 'groups']);
  who.input.setAttribute('aria-label', `${WORDS.addMember}: ${group.name}`);
  who.input.setAttribute('placeholder', WORDS.memberHint);
  return h(
    'span',
    { class: 'authz-row' },
    ...(group.members ?? []).map(member =>
      h(
        'span',
        { class: 'authz-pill' },
        member,
        button('×', `${WORDS.remove} ${member}, ${group.name}`, () => change({ remove: [member] }))
      )
    ),
    h(
      'form',
      {
        onsubmit: event => {
          event.preventDefault();
          void change({ add: [who.principal] });
        }
      },
      who.input,
      who.choices,
      h('button', { type: 'submit' }, WORDS.addMember)
    )
  );
}

function at(kind: string, name: string): string {
  return `${kind}/${encodeURIComponent(name)}`;
}

function button(word: string, about: string, act: () => Promise<void>): HTMLElement {
  return h(
    'button',
    { type: 'button', 'aria-label': `${word}: ${about}`, onclick: () => void act() },
    word
  );
}

async function remove<T>(desk: Desk, list: List<T>, path: string, who: string): Promise<void> {
  if (await desk.sure(WORDS.removeTitle(who), WORDS.removeSentence, WORDS.remove)) {
    await list.say.trying(async () => {
      await desk.client.delete(path);
      await list.reload();
    });
  }
}

function adding<T>(
  word: string,
  field: HTMLInputElement,
  act: () => Promise<void>,
  list: List<T>
): HTMLElement {
  return h(
    'form',
    {
      class: 'authz-row',
      onsubmit: event => {
        event.preventDefault();
        void list.say.trying(act).then(done => {
          if (done) {
            field.value = '';
          }
        });
      }
    },
    labelled(WORDS.name, field),
    h('div', { class: 'authz-field' }, h('button', { type: 'submit' }, word))
  );
}
