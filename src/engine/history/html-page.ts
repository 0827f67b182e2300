/** Text for HTML, in elements and in attributes between double quotes. */
export function escapeHtml(text: string): string {
  return (
    text
      .toWellFormed()
      // Control characters are not allowed in HTML; line breaks and tabs are.
      // eslint-disable-next-line no-control-regex -- they are what it is about
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
      .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
  );
}

const style = `
:root{color-scheme:light dark;--back:#fff;--text:#1b1b1f;--soft:#5c5f66;--line:#d8dae0;--in:#f1f2f5;--out:#e6effd}
@media (prefers-color-scheme:dark){:root{--back:#16171a;--text:#e8e8ea;--soft:#a2a5ad;--line:#3a3c42;--in:#22242a;--out:#1d2c44}}
body{margin:0 auto;max-width:46rem;padding:1.5rem 1rem;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.4rem}h2{font-size:1.15rem;border-top:1px solid var(--line);padding-top:1rem;margin-top:2rem;overflow-wrap:anywhere}
.about,time,.state,summary,dl,.files{color:var(--soft);font-size:.85rem}
article{margin:.75rem 0;padding:.6rem .9rem;border-radius:.5rem;background:var(--in);break-inside:avoid;overflow-wrap:anywhere}
article.out{background:var(--out);margin-left:2rem}article.in{margin-right:2rem}
article p{margin:.25rem 0;white-space:pre-wrap}.from{font-weight:600}.problem{font-style:italic}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .8rem;margin:.4rem 0}dd{margin:0;overflow-wrap:anywhere}
@media print{:root{--back:#fff;--text:#000;--soft:#333;--line:#999;--in:#fff;--out:#fff}article{border:1px solid var(--line)}}
`;

/** The beginning of a page that fetches nothing and runs nothing. */
export function pageStart(title: string): string {
  return [
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">\n',
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n<meta name="referrer" content="no-referrer">\n',
    `<title>${escapeHtml(title)}</title>\n<style>${style}</style>\n</head>\n<body>\n<h1>${escapeHtml(title)}</h1>\n`,
  ].join('');
}

export const pageEnd = '</body>\n</html>\n';
