package contracttest

import (
	"context"
	"time"

	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/view"
)

var _ view.Store = FailingStore(nil)

// What follows reads nothing: each read ends as the function says.

func (s FailingStore) Projects(context.Context, time.Time, time.Time) ([]view.ProjectCount, error) {
	return nil, s()
}

func (s FailingStore) Minutes(context.Context, rollup.Series, time.Time, time.Time) ([]rollup.Tally, error) {
	return nil, s()
}

func (s FailingStore) Latest(context.Context, string, time.Time, int) ([]store.Entry, error) {
	return nil, s()
}

func (s FailingStore) Slowest(context.Context, string, time.Time, time.Time, string, int) (view.Slowest, error) {
	return view.Slowest{}, s()
}

func (s FailingStore) RecordsOf(context.Context, string, []string) ([]store.Entry, error) {
	return nil, s()
}

func (s FailingStore) Groups(context.Context, rollup.Series, time.Time, time.Time) (view.Groups, error) {
	return view.Groups{}, s()
}

func (s FailingStore) Hours(context.Context, rollup.Series, string, time.Time, time.Time) (view.Hours, error) {
	return view.Hours{}, s()
}

func (s FailingStore) Exemplars(context.Context, string, []int64) ([]store.Entry, error) {
	return nil, s()
}

func (s FailingStore) Records(context.Context, string, string) ([]store.Entry, error) {
	return nil, s()
}

func (s FailingStore) ProjectsOf(context.Context, string) ([]string, error) { return nil, s() }
