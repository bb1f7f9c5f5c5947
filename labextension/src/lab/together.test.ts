import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { askFirst, type Asking, keepApart } from './together.js';

/** A notebook of one cell that is trusted here, and the same one in another page. */
function opened(type: 'code' | 'markdown', collaborationEnabled = true) {
  const ydoc = new Y.Doc();
  const ymodel = new Y.Map<unknown>();
  ydoc.getArray('cells').push([ymodel]);
  ymodel.set('source', new Y.Text('1'));
  ymodel.set('outputs', new Y.Array());
  const notebook = { ydoc };
  const cell = { sharedModel: { cell_type: type, ymodel, notebook }, trusted: true };
  const asking: Asking = { getMetadata: name => name };
  const factory = { createNew: () => ({ cells: [undefined, cell] }) };
  keepApart({ getModelFactory: () => factory as never }, asking);
  (factory.createNew as (options: object) => object)({
    collaborationEnabled,
    sharedModel: notebook
  });
  const seen: boolean[] = [];
  ymodel.observeDeep(() => {
    seen.push(cell.trusted);
  });
  const elsewhere = new Y.Doc();
  Y.applyUpdate(elsewhere, Y.encodeStateAsUpdate(ydoc));
  const theirs = elsewhere.getArray('cells').get(0) as Y.Map<unknown>;
  const comes = (): void => {
    Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(elsewhere), 'another page');
  };
  return { asking, cell, comes, seen, theirs, ymodel };
}

test('what another page puts out in a cell is not trusted when it is shown', () => {
  const { comes, seen, theirs } = opened('code');
  (theirs.get('outputs') as Y.Array<unknown>).push([new Y.Map([['data', 'script']])]);
  comes();
  assert.deepEqual(seen, [false]);
});

test('nor is what it puts in the place of all outputs', () => {
  const { comes, seen, theirs } = opened('code');
  theirs.set('outputs', new Y.Array());
  comes();
  assert.deepEqual(seen, [false]);
});

test('nor is text that another page writes', () => {
  const { comes, seen, theirs } = opened('markdown');
  (theirs.get('source') as Y.Text).insert(0, '<img>');
  comes();
  assert.deepEqual(seen, [false]);
});

test('what a cell has put out stays trusted while another page writes its code', () => {
  const { comes, seen, theirs } = opened('code');
  (theirs.get('source') as Y.Text).insert(0, '2');
  comes();
  assert.deepEqual(seen, [true]);
});

test('what this page puts out stays trusted', () => {
  const { seen, ymodel } = opened('code');
  (ymodel.get('outputs') as Y.Array<unknown>).push([new Y.Map([['data', 'plot']])]);
  assert.deepEqual(seen, [true]);
});

test('a cell that several edit does not say of itself whether it is trusted', () => {
  const { asking, cell } = opened('code');
  assert.equal(asking.getMetadata.call(cell, 'trusted'), undefined);
  assert.equal(asking.getMetadata.call(cell, 'tags'), 'tags');
});

test('a cell that one edits alone does', () => {
  const { asking, cell } = opened('code', false);
  assert.equal(asking.getMetadata.call(cell, 'trusted'), 'trusted');
});

test('a button runs a command unasked in what was put out here alone, and not in a text', () => {
  const marked = new Set<unknown>();
  const text = { classList: { contains: (name: string) => name === 'jp-Cell' } };
  const output = { classList: { contains: () => false } };
  const node = { ...output, querySelectorAll: () => [text] };
  const rendermime = {
    trustHandler: {
      markTrusted: (each: unknown) => void marked.add(each),
      unmarkTrusted: (each: unknown) => void marked.delete(each)
    }
  };
  const mark = (each: object): void => {
    rendermime.trustHandler.markTrusted(each);
  };
  [node, text, output].forEach(mark);
  askFirst({ node, rendermime } as never);
  assert.deepEqual([...marked], [output]);
  rendermime.trustHandler.unmarkTrusted(output);
  [node, text, output].forEach(mark);
  assert.deepEqual([...marked], [output]);
});
