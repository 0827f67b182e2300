export { exportHtml } from './export-html.ts';
export { exportJson } from './export-json.ts';
export type { ExportedAttachment, ExportScope } from './export-scope.ts';
export { HistoryImport, type HistoryReport, type ImportTarget } from './import-history.ts';
