/** Which right each thing that nbclassic offers needs: by its name as an action, which keys and
 * the command palette have as well, and by where it is in a page. */

/** Of what somebody needs a right there, and which; of several actions one is enough. */
export type Need = readonly [
  (
    | 'file'
    | 'kernel'
    | 'kernelOrNew'
    | 'folder'
    | 'ticked'
    | 'tickedKernels'
    | 'entryKernel'
    | 'server'
    | 'terminals'
    | 'run'
    | 'cells'
  ),
  ...string[]
];

/** One need, of what is in a page where the selector says, and of these actions. */
interface Row {
  need: Need;
  at?: string;
  actions?: readonly string[];
}

const ROWS: readonly Row[] = [
  // The menus, tool bar, keys and palette of a notebook.
  {
    need: ['file', 'save'],
    at: '#save_checkpoint, #save-file',
    actions: ['save-notebook']
  },
  {
    need: ['run'],
    at:
      '#run_cell, #run_cell_select_below, #run_cell_insert_below, ' +
      '#run_all_cells, #run_all_cells_above, #run_all_cells_below',
    actions: [
      'run-cell',
      'run-cell-and-select-next',
      'run-cell-and-insert-below',
      'run-all-cells',
      'run-all-cells-above',
      'run-all-cells-below'
    ]
  },
  { need: ['kernelOrNew', 'interrupt'], at: '#int_kernel', actions: ['interrupt-kernel'] },
  {
    need: ['kernelOrNew', 'restart'],
    at: '#restart_kernel, #restart_clear_output, #restart_run_all',
    actions: [
      'restart-kernel',
      'confirm-restart-kernel',
      'restart-kernel-and-clear-output',
      'confirm-restart-kernel-and-clear-output',
      'restart-kernel-and-run-all-cells',
      'confirm-restart-kernel-and-run-all-cells'
    ]
  },
  {
    need: ['kernel', 'stop'],
    at: '#shutdown_kernel, #close_and_halt',
    actions: ['shutdown-kernel', 'confirm-shutdown-kernel', 'close-and-halt']
  },
  { need: ['file', 'launch'], at: '#menu-change-kernel' },
  {
    need: ['folder', 'create'],
    at: '#new_notebook, #copy_notebook, #menubar #new-file',
    actions: ['duplicate-notebook']
  },
  {
    need: ['file', 'rename'],
    at: '#rename_notebook, #rename-file',
    actions: ['rename-notebook']
  },
  { need: ['file', 'restore'], at: '#restore_checkpoint' },
  { need: ['file', 'trust'], at: '#trust_notebook', actions: ['trust-notebook'] },
  { need: ['file', 'export'], at: '#download_menu > li' },
  { need: ['file', 'download'], at: '#download-file' },
  {
    need: ['cells'],
    at:
      '#cut_cell, #paste_cell_above, #paste_cell_below, #paste_cell_replace, #delete_cell, ' +
      '#undelete_cell, #split_cell, #merge_cell_above, #merge_cell_below, #move_cell_up, ' +
      '#move_cell_down, #edit_nb_metadata, #find_and_replace, #cut_cell_attachments, ' +
      '#paste_cell_attachments, #insert_image, #insert_cell_above, #insert_cell_below, ' +
      '#to_code, #to_markdown, #to_raw, #clear_current_output, #clear_all_output, #cell_type',
    actions: [
      'change-cell-to-code',
      'change-cell-to-heading-1',
      'change-cell-to-heading-2',
      'change-cell-to-heading-3',
      'change-cell-to-heading-4',
      'change-cell-to-heading-5',
      'change-cell-to-heading-6',
      'change-cell-to-markdown',
      'change-cell-to-raw',
      'clear-all-cells-output',
      'clear-cell-output',
      'cut-cell',
      'cut-cell-attachments',
      'delete-cell',
      'find-and-replace',
      'insert-cell-above',
      'insert-cell-below',
      'insert-image',
      'merge-cell-with-next-cell',
      'merge-cell-with-previous-cell',
      'merge-cells',
      'move-cell-down',
      'move-cell-up',
      'paste-cell-above',
      'paste-cell-attachments',
      'paste-cell-below',
      'paste-cell-replace',
      'split-cell-at-cursor',
      'undo-cell-deletion'
    ]
  },
  // The list of files.
  {
    need: ['folder', 'create'],
    at:
      '#new-menu > #new-file, #new-menu > #new-folder, #new-menu > [id^="kernel-"], ' +
      '.duplicate-button'
  },
  { need: ['terminals', 'start'], at: '#new-terminal' },
  { need: ['folder', 'upload'], at: '#upload_span' },
  { need: ['ticked', 'rename'], at: '.rename-button, .move-button' },
  { need: ['ticked', 'download'], at: '.download-button' },
  { need: ['ticked', 'delete'], at: '.delete-button' },
  { need: ['tickedKernels', 'stop'], at: '.shutdown-button' },
  { need: ['entryKernel', 'stop'], at: '#running_list .list_item .btn-warning' },
  { need: ['server', 'administer'], at: '#shutdown' }
];

/** nbclassic's own actions; those of extensions have other names before the colon. */
const named = (action: string): string => `jupyter-notebook:${action}`;

/** By the name of an action. */
export const NEED_OF: ReadonlyMap<string, Need> = new Map(
  ROWS.flatMap(({ need, actions = [] }) =>
    actions.map((each): [string, Need] => [named(each), need])
  )
);

/** By a selector of what is in a page; the tool bar's buttons say which action is theirs. */
export const NEEDS: readonly (readonly [string, Need])[] = ROWS.map(
  ({ need, at = '', actions = [] }) => [
    [at, ...actions.map(each => `[data-jupyter-action="${named(each)}"]`)]
      .filter(each => each !== '')
      .join(', '),
    need
  ]
);
