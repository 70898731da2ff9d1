const vscode = require('vscode');

exports.activate = (context) => {
  context.subscriptions.push(
    vscode.window.registerWebviewViewProvider('empty.view', {
      resolveWebviewView(view) {
        view.webview.options = { enableScripts: true };
        view.webview.html = '<!DOCTYPE html><main><textarea placeholder="Empty"></textarea></main>';
      },
    }),
  );
};
