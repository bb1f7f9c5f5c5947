/** A style sheet as text, for a page that takes one script only. */
declare module '*.css' {
  const text: string;
  export default text;
}
