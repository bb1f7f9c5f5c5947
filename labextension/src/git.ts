/** What somebody does in git's panel, which shows no answer to much of it. */

/** Ends of the addresses that change something, as jupyterlab-git has them.
 *
 * Not what its page asks every few seconds by itself, such as `status` and `remote/fetch`,
 * which are sent with the same method: of what nobody has done nobody wants to be told.
 */
const ACTS = [
  'add',
  'add_all_unstaged',
  'add_all_untracked',
  'branch/delete',
  'checkout',
  'clone',
  'commit',
  'delete_commit',
  'ignore',
  'init',
  'merge',
  'pull',
  'push',
  'rebase',
  'remote/add',
  'reset',
  'reset_to_commit',
  'stash',
  'stash_apply',
  'stash_pop',
  'strip_notebooks',
  'tag',
  'tag_checkout'
];
const ACT = new RegExp(`^git/(?:.*/)?(?:${ACTS.join('|')})$`);

/** Whether a request is an act of a person in git's panel.
 *
 * `path`: below the server's own address.
 */
export function isGitAct(method: string, path: string): boolean {
  const [place = ''] = path.split('?');
  return method === 'DELETE' ? place.startsWith('git/') : method === 'POST' && ACT.test(place);
}
