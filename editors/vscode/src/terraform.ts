// Gives .tf files the language terraform where no other extension knows them.
import * as vscode from 'vscode';

export function languages(): vscode.Disposable {
  const name = (d: vscode.TextDocument) => {
    if (d.languageId === 'plaintext' && /\.(tf|tfvars)$/.test(d.uri.path)) {
      void vscode.languages.setTextDocumentLanguage(d, 'terraform');
    }
  };
  vscode.workspace.textDocuments.forEach(name);
  return vscode.workspace.onDidOpenTextDocument(name);
}
