/** Every text that a person reads and the server does not send; English. */

export const WORDS = {
  unreachable: 'The server does not answer. Check your connection and try again.',
  notJson: 'The answer was no JSON; you may have been signed out. Reload the page.',
  broken: 'Something went wrong on the server; its log says what. Try again in a moment.',
  refused: (status: number): string => `The server refused this with status ${status}.`,
  byStatus: {
    401: 'You have been signed out. Reload the page to sign in again.',
    403: 'You are not allowed to do this.',
    404: 'There is no such thing, or this server is older than this page.',
    412: 'Somebody else has changed this meanwhile. Look at it again, then decide.',
    429: 'That was too often. Wait a moment and try again.',
    503: 'The server cannot look this up now. Try again in a moment.'
  } as Record<number, string>,

  statusTitle: 'Who you are here and what you can do',
  status: (who: string, can: string): string => (can === '' ? who : `${who}: ${can}`),
  you: 'You are',
  groups: 'Your groups',
  noGroups: 'none',
  viaToken: (name: string): string => `with the token ${name}`,
  here: 'Here',
  logOut: 'Log out',
  account: 'Password and sign-ins',
  accessPage: 'Access page',
  close: 'Close',
  cancel: 'Cancel',

  can: { view: 'can view', run: 'can run', runSaved: 'can run saved cells', edit: 'can edit' },
  cannot: { run: "can't run", edit: "can't edit" },
  nothing: 'no access',
  badge: {
    editing: 'Editing',
    editNoRun: 'Editing, not running',
    running: 'Running only',
    runningCode: 'Running, not saving',
    viewing: 'Viewing',
    none: 'No access'
  },
  badgeHint: 'Click for what you can do here, and why.',
  because: 'Why',
  everything: 'You can do everything that is done here.',
  lowered: (name: string): string =>
    `${name} is read-only for you now. What you typed is still here; save your own copy to keep it.`,
  raised: (name: string): string => `You can change ${name} again.`,
  gone: (name: string): string =>
    `You have no access to ${name} any more. What is on this page stays until you close it.`,
  stopped: (name: string): string => `You cannot run code in ${name} any more.`,
  lacks: (name: string): string =>
    `You may have more files now than the kernel of ${name} sees. Restart it to see them there.`,
  runAgain: (name: string): string => `You can run code in ${name} now.`,
  ended: (name: string): string =>
    `The kernel of ${name} was stopped: it had more than you may have now. A new one has what is left to you.`,
  saveCopy: 'Save my copy…',
  saveCopyTitle: 'Save a copy of your own',
  saveCopyLabel: 'Where to save the copy, with its name',
  save: 'Save',
  copyThere: (path: string): string => `${path} exists already; choose another name.`,
  copySaved: (path: string): string => `Your copy is ${path}.`,
  shadow: 'The policy is on trial: nothing is refused yet, only recorded.',
  readOnlyItem: 'read-only for you',
  lockedItem: 'closed to you',
  sharedItem: 'shared with others',
  noLevel: 'You hold no level here.',
  ownedBy: (name: string): string => `It belongs to ${name}.`,
  youCan: 'You can',
  youCannot: (count: number): string => `What you can't do here, and why (${count})`,
  document: (path: string): string => `In ${path}`,
  kernel: 'In its kernel',
  server: 'On this server',
  category: 'Access',
  why: "Why can't I?",
  whyTitle: 'Why this is refused',
  whyAsked: (verb: string, resource: string): string => `You tried to ${verb} ${resource}.`,
  reference: (id: string): string =>
    `Whoever looks after this server finds it in the records as ${id}.`,
  notAllowed: 'You are not allowed to do this.',

  more: 'Show more',
  any: 'any',
  never: 'no end',
  shown: (count: number, more: boolean): string =>
    more ? `The first ${count} are shown; search, or show more.` : `${count} in all.`,
  share: 'Share…',
  shareTitle: (name: string): string => `Share ${name}`,
  shareWith: 'Person, group:NAME or everyone',
  level: 'Level',
  until: 'Until',
  yoursEnds: (end: string): string => `Yours ends ${end}; you can give it until then.`,
  uses: 'How often it counts (empty: always)',
  usesLeft: (left: number): string =>
    left === 1 ? 'counts once more' : `counts ${left} more times`,
  who: 'Who',
  givenBy: 'Given by',
  act: 'Change',
  add: 'Share',
  take: 'Remove',
  leave: 'Leave',
  they: 'They',
  nameFirst: 'Type whom to share with.',
  onlyYours: 'You see what reaches yourself.',
  whoHasAccess: 'Who has access',
  nobodyElse: 'No grant reaches here that you can see.',
  moreOnPage: 'There are more; the access page has them all.',
  levelOf: (who: string): string => `Level of ${who}`,
  untilOf: (who: string): string => `End for ${who}`,
  given: (who: string, level: string): string => `${who} is ${level} here now.`,
  endsAt: (who: string, end: string): string => `${who}: ${end}.`,
  taken: (who: string): string => `The grant of ${who} is gone.`,
  inherited: (from: string): string => `inherited from ${from}`,
  fromFile: (source: string): string => `written in ${source}`,
  copyLink: 'Copy link',
  copied: 'The link is copied.',
  copyHint: 'The link gives nobody access by itself.',
  everyoneTitle: 'Share with everyone?',
  everyoneYes: 'Share with everyone',

  pageTitle: 'Access',
  tabs: {
    mine: 'My access',
    grants: 'Grants',
    people: 'People and groups',
    live: 'Live doors',
    requests: 'Requests',
    audit: 'Audit',
    policy: 'Policy',
    explain: 'Explain',
    map: 'Map'
  },
  noSuchServer: 'This server does not tell who you are. Reload the page, or sign in again.',
  loading: 'Loading…',
  search: 'Search',
  where: 'On',
  yourGrants: 'What you were given',
  noGrants: 'No grant that you can see.',
  leaveTitle: 'Leave this?',
  leaveSentence: (resource: string): string =>
    `You lose what this grant on ${resource} gives you, and cannot take it back yourself.`,
  shareWhat: 'Share what',
  onWhat: 'On what',
  doesWhat: 'Does what',
  explain: 'Explain',
  allowed: 'Yes, allowed',
  denied: 'No, refused',
  needs: (level: string, revision: number): string =>
    `The lowest level that can do this is ${level}. Policy revision ${revision}.`,
  nothingDecides: 'No grant and no rule permits it, or none that you may see.',
  scope: (scope: string): string => `for ${scope}`,
  wouldAllow: 'What would allow it',
  mapHint:
    'Each file and folder that you see, with the level there. Open a folder to see what is in it.',
  mapOf: 'Whose level',
  mapShow: 'Show',
  noLevelWord: 'way only',
  emptyFolder: 'Nothing here that you can see.',
  peopleTitle: 'People',
  groupsTitle: 'Groups',
  name: 'Name',
  shownAs: 'Shown as',
  members: 'Members',
  state: 'State',
  active: 'active',
  disabled: 'shut out',
  noOne: 'Nobody.',
  addPerson: 'Add person',
  addGroup: 'Add group',
  shutOut: 'Shut out',
  letIn: 'Let in',
  remove: 'Remove',
  removeTitle: (who: string): string => `Remove ${who}?`,
  removeSentence: 'All that was given goes with it. Files stay.',
  memberHint: 'user:NAME or group:NAME',
  addMember: 'Add member',

  viewAs: 'View as',
  viewTitle: (who: string): string => `Look around as ${who}?`,
  viewSentence:
    'All pages of this browser show what they may see of what you may see, and change and run nothing. It is recorded, and they are told.',
  viewLasts: 'It ends when you say so, or after an hour.',
  viewing: (who: string): string => `You look around as ${who} and change nothing.`,
  viewEnd: 'Be yourself again',
  viewedBy: (who: string): string => `${who} looks around as you at the moment.`,

  noDoors: 'Nobody is connected.',
  byToken: '(with a token)',
  connectedTo: 'Connected to',
  since: 'Since',
  from: 'From',
  doorOpen: 'open',
  doorRefuses: 'open, refuses what comes',
  doorKinds: {
    kernels: 'a kernel',
    terminals: 'a terminal',
    events: 'the events of this server',
    server: 'the server'
  } as Record<string, string>,
  doorOf: 'of',
  disconnect: 'Disconnect',
  disconnectTitle: (who: string): string => `Disconnect ${who}?`,
  disconnectSentence:
    'What runs goes on. They can connect again for as long as they have access; to prevent that, take the access away.',
  doorsHint:
    'Each open connection of a page or program to a kernel, a terminal or the events. When a right is taken away its connections are closed or refuse, by themselves.',
  ownDoorsHint: 'Your own open connections, also those of other browsers and of your programs.',
  lookAgain: 'Look again',
  signIns: 'Where you are signed in',
  noSignIns: 'Nowhere; you came with a token.',
  browser: 'Browser',
  thisBrowser: 'this browser',
  signOut: 'Sign out',

  ask: 'Ask for access',
  askTitle: 'Ask for access…',
  askNote: 'Why you need it (optional)',
  asked:
    'You have asked. Whoever shares this sees your request; the answer is on the access page.',
  links: 'Links',
  linkMake: 'Make a link',
  linkHint: 'Whoever signs in and opens it gets the level, while it holds.',
  linkUses: 'How often it can be used (empty: as often as one likes)',
  linkHolds: 'Link holds until (empty: for a day)',
  linkGives: 'What it gives holds until (empty: no end)',
  linkGuests: 'Whoever has not signed in can look, too',
  linkOfGuests: 'for guests',
  linkOnce: 'This is shown once; copy it now.',
  linkUsed: (used: number, uses: number | null): string =>
    uses === null ? `used ${used} times` : `used ${used} of ${uses} times`,
  linkMade: 'The link is made.',
  noLinks: 'No links.',
  yourTokens: 'Tokens for programs',
  token: 'Token',
  tokenName: 'Name of the program',
  tokenScope: 'At most this level (empty: all that you can do)',
  tokenOn: 'on',
  tokenMake: 'Make a token',
  tokenOnce: 'This is shown once; copy it now.',
  tokenAll: 'all that you can do',
  lastUsed: 'Last used',
  noTokens: 'No tokens.',
  revoke: 'Revoke',
  state_: 'State',
  wants: 'Asks for',
  note: 'Note',
  answer: 'Answer',
  approve: 'Approve',
  refuse: 'Refuse',
  withdraw: 'Withdraw',
  noRequests: 'No requests.',
  when: 'When',
  kind: 'Kind',
  outcome: 'Outcome',
  door: 'Door',
  action: 'Action',
  verify: 'Check that no record was changed',
  whole: (records: number): string => `All ${records} records are there and as they were written.`,
  notWhole: (problem: string): string => `Something is wrong: ${problem}`,
  download: 'Save these records as a file',
  noRecords: 'No records.',
  follow: 'Follow',
  files: 'Files',
  noFiles: 'No policy files: the built-in rules and the grants decide.',
  rules: 'Rules',
  problems: 'Newer files are not in force, since',
  effect: 'Effect',
  source: 'Written in',
  inForce: (revision: number, since: string): string =>
    `Revision ${revision}; the files are those of ${since}.`
} as const;

export type Can = { view: boolean; edit: boolean; run: boolean; runSaved: boolean };

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
      : can.edit
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
    return can.run ? WORDS.badge.editing : WORDS.badge.editNoRun;
  }
  return can.run
    ? WORDS.badge.runningCode
    : can.runSaved
      ? WORDS.badge.running
      : WORDS.badge.viewing;
}
