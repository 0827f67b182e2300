export { exportHtml } from './export-html.ts';
export { exportJson } from './export-json.ts';
export { historyFormat, type ExportedAccount, type ExportedAttachment, type ExportScope } from './export-scope.ts';
export { HistoryImport, type HistoryImportOptions, type HistoryReport, type ImportTarget } from './import-history.ts';
