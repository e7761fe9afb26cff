package stepkey

import "github.com/stepkey/stepkey/storage"

// Package storage describes these types. They are repeated here for callers of a [Service].
type (
	User            = storage.User
	ConfirmedEmail  = storage.ConfirmedEmail
	Passkey         = storage.Passkey
	RefusedCeremony = storage.RefusedCeremony
	Session         = storage.Session
	SessionPlace    = storage.SessionPlace
	Client          = storage.Client
	RefreshMode     = storage.RefreshMode
	Event           = storage.Event
	EventKind       = storage.EventKind
	EventPlace      = storage.EventPlace
	EmailState      = storage.EmailState
	PendingRecovery = storage.PendingRecovery
	Purpose         = storage.Purpose
	Invitation      = storage.Invitation
	ImportStatus    = storage.ImportStatus
	ImportProblem   = storage.ImportProblem
	ImportResult    = storage.ImportResult
	PortableUser    = storage.PortableUser
	PortablePasskey = storage.PortablePasskey
	Store           = storage.Store
	Challenges      = storage.Challenges
	Limiter         = storage.Limiter
)

// The values of those types that callers use.
const (
	RefreshNone   = storage.RefreshNone
	RefreshCookie = storage.RefreshCookie
	RefreshBody   = storage.RefreshBody

	PurposeRegistration = storage.PurposeRegistration
	PurposeStepUp       = storage.PurposeStepUp
	PurposeLogIn        = storage.PurposeLogIn

	ImportAdded   = storage.ImportAdded
	ImportPresent = storage.ImportPresent
	ImportLeftOut = storage.ImportLeftOut

	UnknownDevice  = storage.UnknownDevice
	MaxImportBatch = storage.MaxImportBatch
	NameQuarantine = storage.NameQuarantine
)
