// Package view fills what a page shows: one struct a page, which HTML, JSON and the command line render, and one function
// each that reads it from a Store.
//
// What is shown is masked unless Options say otherwise. The package knows no HTTP and no SQL.
package view
