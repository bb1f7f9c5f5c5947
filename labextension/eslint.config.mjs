import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'dist', 'node_modules', '*.mjs'] },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // why: a name that somebody chose must never be read as HTML; `dom.ts` makes text of it
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'write'].map(property => ({
          property,
          message: 'names are hostile: build elements with `h` of dom.ts'
        }))
      ]
    }
  },
  {
    // why: the test runner's `test` gives a promise that it awaits itself
    files: ['src/**/*.test.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' }
  }
);
