/** The cells of a notebook in nbclassic: they take nothing where that could be neither saved nor
 * run. nbclassic asks each cell whether one may type in it, and shows no other way to say so. */
import type { Cell, Classic } from './jupyter.js';

export class Cells {
  /** `frozen` says whether they take nothing at this moment. */
  constructor(
    private readonly notebook: NonNullable<Classic['notebook']>,
    private readonly frozen: () => boolean
  ) {}

  /** Begin with the cells that are there, and with each that is made. */
  begin(): void {
    this.notebook.get_cells().forEach(each => {
      this.heed(each);
    });
    this.notebook.events?.on('create.Cell', (_, about) => {
      if (about?.cell) {
        this.heed(about.cell);
      }
    });
  }

  /** Look again whether they take anything. */
  look(): void {
    this.notebook.get_cells().forEach(lock);
  }

  private heed(cell: Cell): void {
    const own = cell.is_editable.bind(cell);
    cell.is_editable = () => own() && !this.frozen();
    lock(cell);
  }
}

function lock(cell: Cell): void {
  // A cell of no known kind has no editor.
  cell.code_mirror?.setOption('readOnly', !cell.is_editable());
}
