// Command cloudops is the language server, the daemon and the terminal client.
package main

func main() {}
