package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/storage"
)

// sent claims mails one after the other, as a sender with one connection does, and
// returns to whom they go until none is left or limit is reached.
func sent(t *testing.T, s storage.Store, now time.Time, limit int) (to []string) {
	t.Helper()
	for len(to) < limit {
		mails, err := s.ClaimMail(t.Context(), mailKinds, now, now.Add(time.Minute), 1)
		if err != nil {
			t.Fatalf("ClaimMail: %v", err)
		}
		if len(mails) == 0 {
			break
		}
		to = append(to, mails[0].To)
		removeMail(t, s, mails[0].ID)
	}
	return to
}

func removeMail(t *testing.T, s storage.Store, id uuid.UUID) (deleted bool) {
	t.Helper()
	inTx(t, s, func(ctx context.Context, tx storage.Tx) (err error) {
		deleted, err = tx.DeleteMail(ctx, id)
		return err
	})
	return deleted
}

func wantSent(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", what, diff)
	}
}

// A link that was queued last is sent first, and a mail that was put off does not stand
// before new ones of its kind.
func urgentMailFirst(t *testing.T, s storage.Store) {
	var notices []storage.QueuedMail
	for i := range 200 {
		notices = append(notices, queuedMail(fmt.Sprintf("user%d@example.com", i)))
	}
	queue(t, s, notices...)
	link, task := queuedMail("mira@example.com"), queuedMail("")
	link.Urgent, link.CreatedAt = true, epoch.Add(time.Second)
	task.Urgent, task.CreatedAt, task.UserID = true, epoch.Add(time.Second), uuid.Nil
	queue(t, s, link, task)
	now := epoch.Add(time.Second)
	first := claimed(t, s, now, now.Add(time.Minute), 2)
	if diff := cmp.Diff(map[uuid.UUID]int{link.ID: 1, task.ID: 1}, first); diff != "" {
		t.Errorf("first, -want +got:\n%s", diff)
	}
	if err := s.PutOffMail(t.Context(), link.ID, 1, now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	newer := queuedMail("noor@example.com")
	newer.Urgent, newer.CreatedAt = true, now.Add(2*time.Second)
	queue(t, s, newer)
	wantSent(t, "new links, then links that were tried",
		sent(t, s, now.Add(2*time.Second), 2), "noor@example.com", "mira@example.com")
}

// However many mails one mailbox has, written in whichever letters, and of however many
// users, the first mail to another one is the next but one.
func mailboxesTakeTurns(t *testing.T, s storage.Store) {
	var mails []storage.QueuedMail
	for i := range 300 {
		m := queuedMail([]string{"mallory@example.com", "Mallory@Example.com"}[i%2])
		m.Topic = "notice"
		mails = append(mails, m)
	}
	queue(t, s, mails...)
	for i, to := range []string{"mira@example.com", "mira@example.com", "noor@example.com"} {
		m := queuedMail(to)
		m.CreatedAt = epoch.Add(time.Duration(i+1) * time.Millisecond)
		queue(t, s, m)
	}
	wantSent(t, "turns", sent(t, s, epoch.Add(time.Second), 6), "mallory@example.com",
		"mira@example.com", "noor@example.com", "Mallory@Example.com", "mira@example.com", "mallory@example.com")
	late := queuedMail("sol@example.com")
	late.CreatedAt = epoch.Add(time.Second)
	queue(t, s, late)
	wantSent(t, "one that comes later", sent(t, s, epoch.Add(time.Second), 2), "Mallory@Example.com", "sol@example.com")
}

// While a mail to a mailbox is being sent, others to it wait, in whichever letters, and
// those to other mailboxes do not. Tasks have no mailbox and do not wait for each other.
func oneMailAtATimeToAMailbox(t *testing.T, s storage.Store) {
	var mails []storage.QueuedMail
	for range 5 {
		mails = append(mails, queuedMail("slow@example.com"), queuedMail("Slow@example.com"))
	}
	other := queuedMail("mira@example.com")
	queue(t, s, append(mails, other)...)
	lease := epoch.Add(time.Minute)
	if got := claimed(t, s, epoch, lease, 4); len(got) != 2 || got[other.ID] != 1 {
		t.Errorf("handed out %v, want one of each mailbox", got)
	}
	if got := claimed(t, s, epoch, lease, 4); len(got) != 0 {
		t.Errorf("handed out %v to a mailbox that is being sent to", got)
	}
	if got := claimed(t, s, lease, lease.Add(time.Minute), 1); len(got) != 1 {
		t.Errorf("%d after the sender has gone, want one", len(got))
	}
	task, another := queuedMail(""), queuedMail("")
	task.UserID, another.UserID = uuid.Nil, uuid.Nil
	queue(t, s, task, another)
	if got := claimed(t, s, epoch, lease, 4); got[task.ID] != 1 || got[another.ID] != 1 {
		t.Errorf("handed out %v, want both tasks", got)
	}
}

func topical(to string, user uuid.UUID) storage.QueuedMail {
	m := queuedMail(to)
	m.UserID, m.Topic = user, "notice"
	return m
}

// At most one mail of a user, mailbox and topic is pending: the newest.
func equalMailsAreOne(t *testing.T, s storage.Store) {
	mira, noor := uuid.New(), uuid.New()
	lease := epoch.Add(time.Minute)
	first, second, third := topical("mira@example.com", mira), topical("Mira@example.com", mira), topical("mira@example.com", mira)
	third.Sealed = []byte("the newest")
	anotherTopic, anotherUser := topical("mira@example.com", mira), topical("mira@example.com", noor)
	anotherTopic.Topic = "another notice"
	apart := []storage.QueuedMail{topical("mira@example.com", mira), topical("mira@example.com", mira)}
	apart[0].Topic, apart[1].Topic = "", ""
	queue(t, s, first, second, third)
	got, err := s.ClaimMail(t.Context(), mailKinds, epoch, lease, 9)
	want := third
	want.Topic, want.Tries, want.Times = "", 1, 3
	if diff := cmp.Diff([]storage.QueuedMail{want}, got); err != nil || diff != "" {
		t.Fatalf("three that are one: %v, -want +got:\n%s", err, diff)
	}

	// Another one that is queued during sending stays separate, because the mail that is being
	// sent does not count it.
	fourth := topical("mira@example.com", mira)
	queue(t, s, fourth)
	if removeMail(t, s, third.ID) {
		t.Error("the sender of the older mail removed the newer one")
	}
	if err := s.PutOffMail(t.Context(), third.ID, 1, epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, err = s.ClaimMail(t.Context(), mailKinds, epoch, lease, 9)
	if err != nil || len(got) != 1 || got[0].ID != fourth.ID || got[0].Times != 1 || got[0].Tries != 1 {
		t.Fatalf("queued while another was sent: %+v, %v", got, err)
	}

	// A postponed mail is still pending.
	if err := s.PutOffMail(t.Context(), fourth.ID, 1, epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	fifth := topical("mira@example.com", mira)
	queue(t, s, fifth)
	got, err = s.ClaimMail(t.Context(), mailKinds, epoch, lease, 9)
	if err != nil || len(got) != 1 || got[0].ID != fifth.ID || got[0].Times != 2 {
		t.Fatalf("after one that was put off: %+v, %v", got, err)
	}
	removeMail(t, s, fifth.ID)

	queue(t, s, topical("mira@example.com", mira), anotherTopic, anotherUser, apart[0], apart[1])
	if got := sent(t, s, epoch, 9); len(got) != 5 {
		t.Errorf("%d mails that differ were sent, want 5", len(got))
	}
}

// Equal mails of parallel transactions are one as well, and none of them fails.
func equalMailsAtOnceAreOne(t *testing.T, s storage.Store) {
	user := uuid.New()
	race(32, func(int) bool {
		err := s.InTx(t.Context(), func(tx storage.Tx) error { return tx.QueueMail(t.Context(), topical("mira@example.com", user)) })
		if err != nil {
			t.Errorf("QueueMail: %v", err)
		}
		return err == nil
	})
	got, err := s.ClaimMail(t.Context(), mailKinds, epoch, epoch.Add(time.Minute), 9)
	if err != nil || len(got) != 1 || got[0].Times != 32 {
		t.Errorf("handed out %+v, %v; want one for all 32", got, err)
	}
	if more := claimed(t, s, epoch.Add(time.Hour), epoch.Add(2*time.Hour), 9); len(more) != 1 {
		t.Errorf("%d are left, want the one that was handed out", len(more))
	}
}

// A mail for later is handed out when its time has come.
func mailForLater(t *testing.T, s storage.Store) {
	m := queuedMail("mira@example.com")
	m.Later, m.CreatedAt = true, epoch.Add(24*time.Hour)
	m.ExpiresAt = m.CreatedAt.Add(time.Hour)
	queue(t, s, m)
	if early := claimed(t, s, m.CreatedAt.Add(-time.Microsecond), m.ExpiresAt, 9); len(early) != 0 {
		t.Errorf("handed out before its time: %v", early)
	}
	if due := claimed(t, s, m.CreatedAt, m.ExpiresAt, 9); due[m.ID] != 1 {
		t.Errorf("handed out %v, want it for the first time", due)
	}
}
